"""`mozdef-ef cdk`: the CDK's command line, with nothing but the virtual environment.

That it synthesizes the pipeline, and what its rules say of it, is in test_deploying_page.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.command import Done, bare_environment, run_here

if TYPE_CHECKING:
    from collections.abc import Callable

    Cdk = Callable[..., Done]

ROOT = Path(__file__).parents[3]
CONNECTION = (
    "arn:aws:codeconnections:us-west-2:111111111111:connection/00000000-0000-4000-8000-000000000000"
)


@pytest.fixture
def cdk(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cdk:
    """Run it without a Node, npm or cdk of the machine; what it starts writes by itself."""
    bare = bare_environment()
    for name in os.environ.keys() - bare.keys():
        monkeypatch.delenv(name)
    for name, value in bare.items():
        monkeypatch.setenv(name, value)

    def run(*words: str, **variables: str) -> Done:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        done = run_here("cdk", *words)
        written = capfd.readouterr()
        return Done(done.status, done.out + written.out, done.err + written.err)

    return run


def test_it_is_the_locked_version(cdk: Cdk) -> None:
    version = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]
    done = cdk("--version")
    assert done.status == 0, done.err
    assert done.out.startswith(f"{version} ")


def test_its_exit_status_and_words_are_those_of_the_cdk(cdk: Cdk, tmp_path: Path) -> None:
    done = cdk("nonsense", "--app", "true", "--output", str(tmp_path))
    assert done.status == 1
    assert "nonsense" in done.err


def test_it_works_on_one_stage_where_there_is_a_pipeline(cdk: Cdk, tmp_path: Path) -> None:
    config = tmp_path / "settings"
    config.mkdir()
    for stage in ("staging", "production"):
        (config / f"{stage}.yaml").write_text("service: ingest\nsources: [github]\n")
    (config / "delivery.yaml").write_text(
        'account: "111111111111"\nregion: us-west-2\nconfig_folder: settings\n'
        f"source: {{mode: github, repository: a/b, connection_arn: '{CONNECTION}'}}\n"
        "stages: [{name: staging}, {name: production, approval: true}]\n"
    )
    one = cdk(
        *("ls", "--output", str(tmp_path / "cdk.out"), "--no-notices"),
        CONFIG=str(config),
        STAGE="production",
        # The CDK's own rules are asked of the whole pipeline.
        CDK_VALIDATION="false",
    )
    assert one.status == 0, one.err
    assert one.out.splitlines()[-1] == "MozDef-EF-ingest-production"
