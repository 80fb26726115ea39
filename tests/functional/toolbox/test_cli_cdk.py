"""`mozdef-ef cdk`: the CDK's command line, with nothing but the virtual environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.command import bare_environment

ROOT = Path(__file__).parents[3]
COMMAND = Path(sys.executable).parent / "mozdef-ef"
CONNECTION = (
    "arn:aws:codeconnections:us-west-2:111111111111:connection/00000000-0000-4000-8000-000000000000"
)


def cdk(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "cdk", *words],
        cwd=ROOT,
        # No Node, npm or cdk of the machine.
        env=bare_environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_the_locked_version() -> None:
    version = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]
    done = cdk("--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{version} ")


def test_its_exit_status_and_words_are_those_of_the_cdk(tmp_path: Path) -> None:
    done = cdk("nonsense", "--app", "true", "--output", str(tmp_path))
    assert done.returncode == 1
    assert "nonsense" in done.stderr


def test_it_works_on_the_pipeline_or_on_one_stage(tmp_path: Path) -> None:
    config = tmp_path / "settings"
    config.mkdir()
    for stage in ("staging", "production"):
        (config / f"{stage}.yaml").write_text("service: ingest\nsources: [github]\n")
    (config / "delivery.yaml").write_text(
        'account: "111111111111"\nregion: us-west-2\nconfig_folder: settings\n'
        f"source: {{mode: github, repository: a/b, connection_arn: '{CONNECTION}'}}\n"
        "stages: [{name: staging}, {name: production, approval: true}]\n"
    )
    output = ["--output", str(tmp_path / "cdk.out"), "--no-notices"]
    whole = cdk("ls", *output, CONFIG=str(config))
    assert whole.returncode == 0, whole.stderr
    assert [line.split(" ")[0] for line in whole.stdout.splitlines() if " " in line] == [
        "MozDef-EF-delivery/staging/MozDef-EF-ingest-staging",
        "MozDef-EF-delivery/production/MozDef-EF-ingest-production",
    ]
    # The CDK's own rules, which only warn, are asked here: the other tests leave them out.
    report = json.loads((tmp_path / "cdk.out" / "validation-report.json").read_text())
    assert report["pluginReports"] == []
    one = cdk("ls", *output, CONFIG=str(config), STAGE="production")
    assert one.stdout.splitlines()[-1] == "MozDef-EF-ingest-production"
