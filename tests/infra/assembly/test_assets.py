"""The functions' code asset and their layer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from infra.assembly import app, layer
from infra.assembly.code import imports, write_code
from infra.assembly.layer import LayerError, build_layer, direct_dependencies, runtime_closure
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
LOCK = """\
# made by hand
alpha==1.0 \\
    --hash=sha256:aa
    # via project (pyproject.toml)
Beta.Two==2.0 ; python_version < '4' \\
    --hash=sha256:bb \\
    --hash=sha256:bc
    # via
    #   alpha
    #   other
gamma==3.0 \\
    --hash=sha256:cc
    # via beta-two
other==4.0 \\
    --hash=sha256:dd
    # via project (pyproject.toml)
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


@pytest.mark.parametrize(
    "handler",
    [
        "ingest_lambdas.authorizer",
        "ingest_lambdas.poller",
        "ingest_lambdas.receiver",
        "stream_processors.archiver",
        "stream_processors.fan_out",
        "stream_processors.replay_worker",
    ],
)
def test_code_runs_by_itself(code: Path, handler: str) -> None:
    """With its own modules and installed packages, but without this checkout."""
    packages = str(Path(boto3.__file__).parents[1])
    start = f"import sys; sys.path += [{packages!r}]; import {handler} as h; print(h.__file__)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", start],
        cwd=code,
        env={"POWERTOOLS_SERVICE_NAME": "ingest"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.startswith(str(code))


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


def test_layer_holds_what_the_functions_need_and_no_more() -> None:
    lock = (app.ROOT / "requirements.lock").read_text()
    closure = runtime_closure(lock, direct_dependencies(app.ROOT))
    assert {package.name for package in closure} == LAYER_PACKAGES
    assert all("--hash=sha256:" in package.requirement for package in closure)


def test_closure_follows_who_asked_for_what() -> None:
    closure = runtime_closure(LOCK, frozenset({"alpha"}))
    assert [package.name for package in closure] == ["alpha", "beta-two", "gamma"]
    assert closure[1].requirement == (
        "Beta.Two==2.0 ; python_version < '4' \\\n    --hash=sha256:bb \\\n    --hash=sha256:bc\n"
    )


def test_a_dependency_that_the_lock_lacks_is_named() -> None:
    with pytest.raises(LayerError, match="delta: run 'make lock'"):
        runtime_closure(LOCK, frozenset({"alpha", "delta"}))


def install(requirements: str, target: Path) -> None:
    """Make what an installation leaves behind."""
    assert "boto3==" in requirements
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
    def failing(requirements: str, target: Path) -> None:
        install(requirements, target)
        raise LayerError("no such wheel")

    monkeypatch.setattr(layer, "_install", failing)
    with pytest.raises(LayerError, match="no such wheel"):
        build_layer(app.ROOT, tmp_path)
    assert list(tmp_path.iterdir()) == []
