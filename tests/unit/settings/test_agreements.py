"""What agreed once is not asked again, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from settings.source import agreements, schema_agreement
from settings.source.errors import SourceError
from settings.source.schema_agreement import check_module
from settings.source.schema_reference import reference_for
from settings.source.schemas import read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.source.schemas import CompiledSchema


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget(monkeypatch)
    yield tmp_path / "cache" / "mozdef-ef" / "agreed"
    agreements._folder.cache_clear()


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be another process."""
    monkeypatch.setattr(agreements, "_known", set())
    agreements._folder.cache_clear()


def write(folder: Path, kind: str) -> tuple[CompiledSchema, Path]:
    file, module = folder / "default.json", folder / "module.py"
    file.write_text(f'{{"type": "object", "properties": {{"a": {{"type": "{kind}"}}}}}}')
    schema = read_schema(file)
    module.write_text(schema.code)
    return schema, module


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often the reference was asked for."""
    found: list[str] = []

    def reference(schema: CompiledSchema) -> object:
        found.append(schema.file.name)
        return reference_for(schema)

    monkeypatch.setattr(schema_agreement, "reference_for", reference)
    return found


def test_the_next_process_does_not_ask_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str], cache_folder: Path
) -> None:
    schema, module = write(tmp_path, "string")
    check_module(schema, module, {})
    forget(monkeypatch)
    check_module(schema, module, {})
    assert len(asked) == 1
    assert len([*cache_folder.iterdir()]) == 1


def test_another_module_schema_or_sample_is_asked_for(tmp_path: Path, asked: list[str]) -> None:
    schema, module = write(tmp_path, "string")
    check_module(schema, module, {})
    check_module(schema, module, {"one": {"a": "text"}})
    check_module(*write(tmp_path, "integer"), {})
    assert len(asked) == 3
    schema, module = write(tmp_path, "string")
    module.write_text(f"{schema.code}\nOTHER = 1\n")
    check_module(schema, module, {})
    assert len(asked) == 4


def test_what_does_not_agree_is_a_fault_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, _ = write(tmp_path, "string")
    number, module = write(tmp_path, "integer")
    module.write_text(text.code)
    for _ in range(2):
        with pytest.raises(SourceError, match="the reference library"):
            check_module(number, module, {})
        forget(monkeypatch)


def test_other_judges_ask_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    schema, module = write(tmp_path, "string")
    check_module(schema, module, {})
    agreements._judges.cache_clear()
    monkeypatch.setattr(agreements, "version", lambda library: f"{library} of tomorrow")
    check_module(schema, module, {})
    agreements._judges.cache_clear()
    assert len(asked) == 2


@pytest.mark.parametrize("cache", ["", "relative", "/dev/null"])
def test_without_a_folder_it_is_only_slower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str], cache: str
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.chdir(tmp_path)
    schema, module = write(tmp_path, "string")
    for _ in range(2):
        forget(monkeypatch)
        check_module(schema, module, {})
        check_module(schema, module, {})
    assert len(asked) == 2
    assert not (tmp_path / "relative").exists()
