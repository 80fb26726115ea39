"""What ships, as it ships: layer and code alone, read only, without the checkout or its packages.

The layer is one of this machine and this interpreter: Lambda's cannot be run here. It is built from
the same lock, by the same rules.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.assembly.app import ROOT
from infra.assembly.bytecode import PYTHON_VERSION
from infra.assembly.code import write_code
from infra.assembly.layer import KEPT, NEVER_CALLED, Runtime, build_layer
from settings.source.loader import load_sources
from tests.support.once import made_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from settings.deployment import Deployment
    from tests.infra.conftest import Synthesized

HERE = Runtime(version=f"{sys.version_info.major}.{sys.version_info.minor}", platform="")
HANDLERS = (
    "ingest_lambdas.authorizer",
    "ingest_lambdas.poller",
    "ingest_lambdas.receiver",
    "stream_processors.archiver",
    "stream_processors.fan_out",
    "stream_processors.reconciler",
    "stream_processors.replay_worker",
)
FILES = """
import importlib, json
for name in sys.argv[1:]:
    importlib.import_module(name)
files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
print(json.dumps([file for file in files if file]))
"""
IMPORT_ALL = """
import dis, importlib, importlib.util, json, types

def lazy(code):
    # What a module's own code imports has been imported; what its functions import has not.
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            instructions = list(dis.get_instructions(inner))
            for position, each in enumerate(instructions):
                if each.opname == "IMPORT_NAME":
                    names = instructions[position - 1].argval
                    yield each.argval, [f"{each.argval}.{name}" for name in names or ()]
            yield from lazy(inner)

def is_module(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False

def own():
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    found = {name: file for name, file in files.items() if file and file.startswith(code + "/")}
    return {name: file[len(code) + 1:] for name, file in found.items()}

for name in sys.argv[1:]:
    importlib.import_module(name)
seen = set()
while unseen := own().keys() - seen:
    seen |= unseen
    for module in unseen:
        for name, within in lazy(sys.modules[module].__spec__.loader.get_code(module)):
            importlib.import_module(name)
            for one in within:
                if is_module(one):
                    importlib.import_module(one)
print(json.dumps(sorted(own().values())))
"""
#: KiB: a module below that is not worth a rule.
SMALL = 20
UNLOADED = {
    "multipart.py": "a source with multipart bodies asks for it",
    "google/protobuf/descriptor_pb2.py": "protobuf asks for it by descriptors with options",
    "urllib3/contrib/emscripten/fetch.py": "urllib3 asks for it in a browser",
}
"""Larger modules that no handler imports at its start, with the reason why they ship."""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        sources = load_sources(["github", "generic", "okta-system-log"])
        write_code(ROOT, sources, folder / "code", Path(sys.executable))

    return made_once(tmp_path_factory, "code", "shipped", make) / "code"


@pytest.fixture(scope="module")
def packages() -> Path:
    return build_layer(ROOT, ROOT / "build", Path(sys.executable), HERE) / "python"


def run_alone(code: Path, packages: Path, program: str, *arguments: str) -> Any:
    """Run a program with what ships alone; return what it writes."""
    begin = f"import sys; code = {str(code)!r}; sys.path[:0] = [code, {str(packages)!r}]\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", begin + program, *arguments],
        cwd="/",
        env={"POWERTOOLS_SERVICE_NAME": "ingest"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ImportError(done.stderr)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def loaded(code: Path, packages: Path) -> dict[str, set[Path]]:
    """The files that each handler loads in an interpreter of its own."""
    return {name: set(map(Path, run_alone(code, packages, FILES, name))) for name in HANDLERS}


def test_each_handler_starts_with_what_ships_alone(
    loaded: dict[str, set[Path]], code: Path, packages: Path
) -> None:
    library = Path(sys.base_prefix)
    for name, files in loaded.items():
        assert code / f"{name.replace('.', '/')}.py" in files
        for file in files:
            assert any(map(file.is_relative_to, (code, packages, library))), file


def test_each_module_that_ships_is_one_that_a_handler_imports(
    loaded: dict[str, set[Path]], packages: Path
) -> None:
    """Python says what it loaded; the layer's other side reads the sources."""
    held = {file.relative_to(packages) for file in packages.rglob("*.py")}
    held |= {file.relative_to(packages) for file in packages.rglob("*.so")}
    started = {
        file.relative_to(packages)
        for files in loaded.values()
        for file in files
        if file.is_relative_to(packages)
    }
    assert started <= held
    idle = {file for file in held - started if file.parts[0] not in KEPT}
    large = {str(file) for file in idle if (packages / file).stat().st_size >= SMALL * 1024}
    assert large == UNLOADED.keys()
    assert sum((packages / file).stat().st_size for file in idle) < 600 * 1024


def test_only_what_was_named_ships_beside_modules(packages: Path) -> None:
    for file in packages.rglob("*"):
        top = file.relative_to(packages).parts[0]
        if file.is_file() and top not in KEPT and not top.endswith(".dist-info"):
            assert file.suffix in {".py", ".pyc", ".so"}, file
    for name in NEVER_CALLED:
        assert not (packages / name.replace(".", "/")).exists()


def test_code_is_what_python_imports_for_the_handlers_and_no_more(
    code: Path, packages: Path
) -> None:
    """Python itself says what: the modules it has loaded, and the imports in their bytecode.

    The other side, `runtime_modules`, reads the source. What a function imports of the layer must
    be there, too.
    """
    found = set(run_alone(code, packages, IMPORT_ALL, *HANDLERS))
    held = {str(path.relative_to(code)) for path in code.rglob("*.py")}
    # A validator is imported by its name, when its event type is first seen.
    held = {path for path in held if not path.startswith("compiled_catalog/")}
    assert {path for path in found if not path.startswith("compiled_catalog/")} == held


def test_each_validator_finds_what_it_imports(code: Path, packages: Path) -> None:
    validators = [
        ".".join(path.relative_to(code).with_suffix("").parts)
        for path in sorted((code / "compiled_catalog").rglob("*.py"))
        if path.name != "__init__.py"
    ]
    assert len(validators) > 10
    run_alone(code, packages, FILES, *validators)


def test_an_aggregate_is_written_and_read_and_a_time_zone_is_found(
    code: Path, packages: Path
) -> None:
    """Protobuf's extension module and zoneinfo import by name what no source says."""
    program = """
import json, zoneinfo
from pipeline.stream.kpl import Aggregate, deaggregate
zoneinfo.reset_tzpath([])  # as on Lambda's image
made = Aggregate()
assert made.add("key", b"data", 1_000)
found = [record.decode() for record, fault in deaggregate(made.to_bytes()) if not fault]
print(json.dumps([*found, str(zoneinfo.ZoneInfo("Europe/Berlin"))]))
"""
    assert run_alone(code, packages, program) == ["data", "Europe/Berlin"]


@pytest.mark.parametrize(
    "module",
    [
        "botocore/exceptions",
        "google/protobuf/internal/builder",
        "httptools/parser/errors",
        "aws_lambda_powertools/metrics/provider/cloudwatch_emf/cloudwatch",
    ],
)
def test_a_module_that_is_missing_shows(
    code: Path, packages: Path, tmp_path: Path, module: str
) -> None:
    """The tests above would fail: a layer without it is one that they find."""
    less = tmp_path / "python"
    shutil.copytree(packages, less, ignore=shutil.ignore_patterns("tzdata", "*.dist-info"))
    place = less / f"{module}.py"
    place.unlink()
    for compiled in (place.parent / "__pycache__").glob(f"{place.stem}.*"):
        compiled.unlink()
    with pytest.raises(ImportError, match=place.stem):
        run_alone(code, less, FILES, "stream_processors.fan_out")


def test_the_layer_is_the_same_each_time_and_of_the_functions_machine(
    tmp_path: Path, synthesized: Callable[[Deployment], Synthesized], deployment: Deployment
) -> None:
    first, again = (build_layer(ROOT, folder) for folder in (ROOT / "build", tmp_path))
    held, same = (
        {file.relative_to(layer): file.read_bytes() for file in layer.rglob("*") if file.is_file()}
        for layer in (first, again)
    )
    assert held == same
    assert sum(map(len, held.values())) < 8 * 1024 * 1024
    natives = {file.name: content for file, content in held.items() if file.suffix == ".so"}
    assert natives
    for name, content in natives.items():
        (machine,) = struct.unpack_from("<H", content, 18)  # e_machine of elf(5)
        assert machine == 183, name  # EM_AARCH64
        assert ".abi3." in name or f"cpython-{PYTHON_VERSION.replace('.', '')}-" in name
    for function in synthesized(deployment).all("AWS::Lambda::Function").values():
        if "Layers" in function:
            assert function["Architectures"] == ["arm64"]
            assert function["Runtime"] == f"python{PYTHON_VERSION}"
