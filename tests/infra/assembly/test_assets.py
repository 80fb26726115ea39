"""The functions' code asset and their layer."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import boto3
import pytest
from packaging.requirements import Requirement

from infra.assembly import app, layer
from infra.assembly.code import imports, write_code
from infra.assembly.layer import LOCK, LayerError, build_layer
from settings.source.loader import load_sources

LAYER_PACKAGES = {
    "aws-kinesis-agg",
    "aws-lambda-powertools",
    "boto3",
    "botocore",
    "fastjsonschema",
    "httptools",
    "jmespath",
    "orjson",
    "protobuf",
    "pybase64",
    "python-dateutil",
    "s3transfer",
    "six",
    "typing-extensions",
    "tzdata",
    "urllib3",
}
IMPORT_NAMES = {
    "aws_kinesis_agg",
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "fastjsonschema",
    "google",
    "httptools",
    "orjson",
    "pybase64",
    "six",
    "typing_extensions",
    "urllib3",
}


HANDLERS = (
    "ingest_lambdas.authorizer",
    "ingest_lambdas.poller",
    "ingest_lambdas.receiver",
    "stream_processors.archiver",
    "stream_processors.fan_out",
    "stream_processors.reconciler",
    "stream_processors.replay_worker",
)
IMPORT_ALL = """
import dis, importlib, importlib.util, os, types

def lazy(code):
    # What a module's own code imports has been imported; what its functions import has not.
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            instructions = list(dis.get_instructions(inner))
            for position, each in enumerate(instructions):
                if each.opname == "IMPORT_NAME":
                    yield each.argval
                    names = instructions[position - 1].argval
                    yield from (f"{each.argval}.{name}" for name in names or ())
            yield from lazy(inner)

def exists(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False

def own():
    here = os.getcwd() + os.sep
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    found = {name: file for name, file in files.items() if file and file.startswith(here)}
    return {name: file[len(here):] for name, file in found.items()}

for name in sys.argv[1:]:
    importlib.import_module(name)
seen = set()
while unseen := own().keys() - seen:
    seen |= unseen
    for module in unseen:
        for name in lazy(sys.modules[module].__spec__.loader.get_code(module)):
            if exists(name):
                importlib.import_module(name)
print("\\n".join(own().values()))
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    write_code(app.ROOT, load_sources(["github", "generic"]), tmp_path / "code")
    return tmp_path / "code"


def test_code_imports_nothing_that_the_layer_lacks(code: Path) -> None:
    own = {path.name for path in code.iterdir()}
    for path in code.rglob("*.py"):
        roots = {name.partition(".")[0] for name in imports(path)}
        assert roots <= own | sys.stdlib_module_names | IMPORT_NAMES, path


def run_alone(code: Path, program: str, *arguments: str) -> str:
    """Run a program with the asset and the installed packages, but without this checkout."""
    packages = str(Path(boto3.__file__).parents[1])
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            f"import sys; sys.path += [{packages!r}]\n{program}",
            *arguments,
        ],
        cwd=code,
        env={"POWERTOOLS_SERVICE_NAME": "ingest"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("handler", HANDLERS)
def test_code_runs_by_itself(code: Path, handler: str) -> None:
    """With its own modules and installed packages, but without this checkout."""
    assert run_alone(code, f"import {handler} as h; print(h.__file__)").startswith(str(code))


def test_code_is_what_python_imports_for_the_handlers_and_no_more(code: Path) -> None:
    """Python itself says what: the modules it has loaded, and the imports in their bytecode.

    The other side, `runtime_modules`, reads the source.
    """
    loaded = set(run_alone(code, IMPORT_ALL, *HANDLERS).splitlines())
    held = {str(path.relative_to(code)) for path in code.rglob("*.py")}
    # A validator is imported by its name, when its event type is first seen.
    held = {path for path in held if not path.startswith("compiled_catalog/")}
    assert {path for path in loaded if not path.startswith("compiled_catalog/")} == held


def test_code_is_pure_python_without_what_is_of_the_build(code: Path) -> None:
    modules = {str(path.relative_to(code)) for path in code.rglob("*") if path.is_file()}
    assert all(module.endswith(".py") for module in modules)
    assert "stream_processors/fan_out.py" in modules
    assert "pipeline/event/envelope.py" in modules
    for build_only in ("local/", "toolbox/cli/", "deployment", "loader", "model"):
        assert not any(build_only in module for module in modules), build_only


def test_imports_are_those_of_running_code(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "import a.b\nfrom c import d\n"
        "if TYPE_CHECKING:\n    from annotations_alone import e\nelse:\n    import f\n"
        "def later():\n    import g\n"
    )
    assert list(imports(path)) == ["a.b", "c", "c.d", "f", "g"]


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


def install(lock: Path, target: Path) -> None:
    """Make what an installation leaves behind."""
    assert lock == app.ROOT / LOCK
    for name in (
        "botocore/data/kinesis/service-2.json.gz",
        "botocore/data/ec2/service-2.json.gz",
        "botocore/data/endpoints.json",
        "bin/jp.py",
        "six.py",
        "six-1.dist-info/RECORD",
        "six-1.dist-info/METADATA",
        "boto3/__pycache__/session.pyc",
        ".lock",
    ):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(name)


def test_layer_is_pruned_and_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "_install", install)
    built = build_layer(app.ROOT, tmp_path)
    python = built / "python"
    assert {str(path.relative_to(python)) for path in python.rglob("*") if path.is_file()} == {
        "botocore/data/kinesis/service-2.json.gz",
        "botocore/data/endpoints.json",
        "six.py",
        "six-1.dist-info/METADATA",
    }
    monkeypatch.setattr(layer, "_install", lambda *_: pytest.fail("it is there already"))
    assert build_layer(app.ROOT, tmp_path) == built
    assert list(tmp_path.iterdir()) == [built]


def test_a_layer_that_cannot_be_installed_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(lock: Path, target: Path) -> None:
        install(lock, target)
        raise LayerError("no such wheel")

    monkeypatch.setattr(layer, "_install", failing)
    with pytest.raises(LayerError, match="no such wheel"):
        build_layer(app.ROOT, tmp_path)
    assert list(tmp_path.iterdir()) == []
