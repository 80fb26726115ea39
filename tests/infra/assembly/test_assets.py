"""The functions' code asset and their layer."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from infra.assembly import app, layer
from infra.assembly.code import write_code
from infra.assembly.imports import imports
from infra.assembly.layer import LAMBDA, LOCK, LayerError, Runtime, build_layer
from settings.source.loader import load_sources

LAYER_PACKAGES = {
    "aws-kinesis-agg",
    "aws-lambda-powertools",
    "botocore",
    "defusedxml",
    "fastjsonschema",
    "httptools",
    "jmespath",
    "multipart",
    "orjson",
    "protobuf",
    "pybase64",
    "python-dateutil",
    "six",
    "typing-extensions",
    "tzdata",
    "urllib3",
}
IMPORT_NAMES = {
    "aws_kinesis_agg",
    "aws_lambda_powertools",
    "botocore",
    "defusedxml",
    "fastjsonschema",
    "google",
    "httptools",
    "multipart",
    "orjson",
    "pybase64",
    "urllib3",
}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assets") / "code"
    write_code(app.ROOT, load_sources(["github", "generic"]), folder)
    return folder


def test_code_imports_nothing_that_the_layer_lacks(code: Path) -> None:
    own = {path.name for path in code.iterdir()}
    for path in code.rglob("*.py"):
        roots = {name.partition(".")[0] for name in imports(path)}
        assert roots <= own | sys.stdlib_module_names | IMPORT_NAMES, path


def test_code_is_pure_python_without_what_is_of_the_build(code: Path) -> None:
    modules = {str(path.relative_to(code)) for path in code.rglob("*") if path.is_file()}
    assert all(module.endswith(".py") for module in modules)
    assert "stream_processors/fan_out.py" in modules
    assert "pipeline/event/envelope.py" in modules
    for build_only in ("local/", "toolbox/cli/", "deployment", "loader", "model"):
        assert not any(build_only in module for module in modules), build_only


def test_code_is_the_same_each_time(code: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    write_code(app.ROOT, load_sources(["generic", "github"]), again)
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.py")}
        for folder in (code, again)
    )
    assert first == second


def pins(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return the name of each package of a lock with its version and its hashes."""
    text = (app.ROOT / lock).read_text().replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    found = {}
    for entry in entries:
        requirement = Requirement(entry.partition(" --hash=")[0])
        hashes = frozenset(part for part in entry.split() if part.startswith("--hash="))
        found[requirement.name] = (str(requirement.specifier), hashes)
    return found


def test_the_runtimes_lock_has_the_versions_and_hashes_of_the_whole_lock() -> None:
    whole, runtime = pins("requirements.lock"), pins(LOCK)
    assert set(runtime) == LAYER_PACKAGES
    assert all(hashes for _, hashes in runtime.values())
    assert {name: whole.get(name) for name in runtime} == runtime


def test_the_runtimes_lock_begins_with_what_the_project_depends_on() -> None:
    project = tomllib.loads((app.ROOT / "pyproject.toml").read_text())["project"]
    declared = [Requirement(each) for each in project["dependencies"]]
    runtime = pins(LOCK)
    assert all(
        each.specifier.contains(runtime[each.name][0].removeprefix("==")) for each in declared
    )


@pytest.mark.parametrize("lock", ["requirements.lock", LOCK])
def test_a_lock_names_no_registry_and_no_machine(lock: str) -> None:
    text = (app.ROOT / lock).read_text()
    assert "://" not in text
    assert "index" not in re.sub(r"^[\w.-]+==.*$", "", text, flags=re.MULTILINE)
    assert not re.search(r"(?:^|[\s=])/\w", text)


def install(lock: Path, target: Path, runtime: Runtime) -> None:
    """Make what an installation leaves behind."""
    assert lock == app.ROOT / LOCK
    assert runtime == LAMBDA
    owned = {
        "botocore": {"__init__.py": "", "exceptions.py": "", "data/ec2/service-2.json.gz": ""},
        "orjson": {"__init__.py": "from .orjson import *", "orjson.cpython-313-arm.so": ""},
        "httptools": {"__init__.pyi": "", "__pycache__/parser.pyc": ""},
        "tzdata": {"zoneinfo/Europe/Berlin": ""},
    }
    (target / "bin").mkdir(parents=True)
    (target / "bin" / "jp.py").write_text("")
    (target / ".lock").write_text("")
    for package, files in owned.items():
        metadata = target / f"{package}-1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: {package}")
        names = [f"{package}/{name}" for name in files] + [f"{metadata.name}/METADATA"]
        (metadata / "RECORD").write_text("".join(f"{name},,\n" for name in names))
        for name, content in files.items():
            (target / package / name).parent.mkdir(parents=True, exist_ok=True)
            (target / package / name).write_text(content)


def test_layer_is_pruned_and_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "_install", install)
    built = build_layer(app.ROOT, tmp_path)
    python = built / "python"
    assert {str(path.relative_to(python)) for path in python.rglob("*") if path.is_file()} == {
        "botocore/__init__.py",
        "botocore/exceptions.py",
        "botocore-1.dist-info/METADATA",
        "orjson/__init__.py",
        "orjson/orjson.cpython-313-arm.so",
        "orjson-1.dist-info/METADATA",
        "tzdata/zoneinfo/Europe/Berlin",
        "tzdata-1.dist-info/METADATA",
    }
    assert not [path for path in python.rglob("*") if path.is_dir() and not any(path.iterdir())]
    monkeypatch.setattr(layer, "_install", lambda *_: pytest.fail("it is there already"))
    assert build_layer(app.ROOT, tmp_path) == built
    assert list(tmp_path.iterdir()) == [built]


def test_a_layer_that_cannot_be_installed_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(lock: Path, target: Path, runtime: Runtime) -> None:
        install(lock, target, runtime)
        raise LayerError("no such wheel")

    monkeypatch.setattr(layer, "_install", failing)
    with pytest.raises(LayerError, match="no such wheel"):
        build_layer(app.ROOT, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_one_source_alone_needs_ships_with_it(tmp_path: Path) -> None:
    """A declaration that no handler imports: only the compiled catalogue does."""
    module = Path("pipeline", "event", "signature_details.py")
    write_code(app.ROOT, load_sources(["docusign"]), tmp_path / "detailed")
    assert (tmp_path / "detailed" / module).is_file()
