"""Bytecode beside what ships: for the runtime's Python, the same every time, and used."""

from __future__ import annotations

import importlib.util
import marshal
import os
import stat
import subprocess
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.application.functions import RUNTIME
from infra.assembly import app
from infra.assembly.app import ROOT
from infra.assembly.bytecode import (
    PYTHON_VERSION,
    BytecodeError,
    compile_folder,
    runtime_python,
)
from infra.assembly.code import write_code
from settings.source.loader import load_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(sys.executable)
#: The flags of a file whose hash is not checked (PEP 552).
UNCHECKED = b"\x01\x00\x00\x00"


def bytecode_in(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*.pyc")}


def file_names(compiled: types.CodeType) -> Iterator[str]:
    yield compiled.co_filename
    for inner in compiled.co_consts:
        if isinstance(inner, types.CodeType):
            yield from file_names(inner)


@pytest.fixture
def asset(tmp_path: Path) -> Path:
    """The code asset, as if this interpreter were the runtime's."""
    write_code(ROOT, load_sources(["generic"]), tmp_path / "asset", HERE)
    return tmp_path / "asset"


def test_the_version_is_the_runtimes() -> None:
    assert f"python{PYTHON_VERSION}" == RUNTIME.name


def test_each_module_of_the_asset_has_its_bytecode(asset: Path) -> None:
    modules = {one.relative_to(asset) for one in asset.rglob("*.py")}
    wanted = {str(Path(importlib.util.cache_from_source(str(one)))) for one in modules}
    found = bytecode_in(asset)
    assert found.keys() == wanted
    for name, content in found.items():
        assert content[:4] == importlib.util.MAGIC_NUMBER, name
        assert content[4:8] == UNCHECKED, name
        assert all(one.startswith("/var/task/") for one in file_names(marshal.loads(content[16:])))


def test_the_same_modules_give_the_same_bytes_in_every_folder(asset: Path, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere" / "with a longer name"
    write_code(ROOT, load_sources(["generic"]), again, HERE)
    assert bytecode_in(again) == bytecode_in(asset)


def test_a_handler_starts_from_the_bytecode_alone_where_nothing_can_be_written(asset: Path) -> None:
    """Python is asked what it read: with the modules gone, there is nothing else to read."""
    program = "import sys; import stream_processors.fan_out as h; print(h.__spec__.cached)"
    for module in asset.rglob("*.py"):
        if module.name != "__init__.py":
            module.write_text("raise AssertionError('compiled at the start')")
    for folder in [asset, *(one for one in asset.rglob("*") if one.is_dir())]:
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=asset,
            env={**os.environ, "PYTHONPATH": str(asset), "POWERTOOLS_SERVICE_NAME": "ingest"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        for folder in [asset, *(one for one in asset.rglob("*") if one.is_dir())]:
            folder.chmod(stat.S_IRWXU)
    assert done.stderr == ""
    assert done.stdout.strip().startswith(str(asset))


def test_a_module_that_cannot_be_compiled_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (")
    with pytest.raises(BytecodeError, match=r"(?s)cannot be compiled.*broken\.py"):
        compile_folder(tmp_path, HERE, "/var/task")


def test_an_interpreter_of_pyenv_that_is_not_chosen_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "versions" / "3.99.4" / "bin" / "python3.99"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert runtime_python("3.99") == python
    assert runtime_python("3.98") is None
    monkeypatch.setenv("PYENV_ROOT", f"/{'x' * 300}")  # it cannot be looked at, whoever looks
    assert runtime_python("3.97") is None


def test_without_an_interpreter_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Path | None] = []

    def synthesize(_: object, output: Path, python: Path | None) -> Path:
        made.append(python)
        return output

    monkeypatch.setattr(app, "synthesize_if_needed", synthesize)
    for found in (None, HERE):
        monkeypatch.setattr(app, "runtime_python", lambda found=found: found)
        monkeypatch.setattr(sys, "argv", ["app", "--stage", "dev", "--bytecode"])
        assert app.main() == 0
        said = capsys.readouterr().err
        assert (f"uv python install {PYTHON_VERSION}" in said) is (found is None)
    assert made == [None, HERE]
