"""`mozdef-ef config check`: a whole configuration folder, one line a fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from settings.config_check import ConfigCheckError, check_config
from toolbox.cli.main import app

if TYPE_CHECKING:
    from typer.testing import Result

ROOT = Path(__file__).parents[3]
SOURCE = "version: 1\ntitle: Alarms\nauthentication: {type: token}\n"
DELIVERY = """\
account: "111111111111"
region: us-west-2
source: {mode: codecommit, repository: code}
stages: [{name: staging}, {name: production, approval: true}]
"""


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["config", "check", *words])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for stage in ("staging", "production"):
        (tmp_path / f"{stage}.yaml").write_text("service: ingest\nsources: [github, alarms]\n")
    (tmp_path / "delivery.yaml").write_text(DELIVERY)
    (tmp_path / "sources" / "alarms").mkdir(parents=True)
    (tmp_path / "sources" / "alarms" / "source.yaml").write_text(SOURCE)
    return tmp_path


def test_what_is_shipped_is_well() -> None:
    checked = check_config(ROOT / "config")
    assert checked.faults == []
    names = {Path(file).name for file in checked.files}
    assert {"dev.yaml", "extended-example.yaml", "delivery-example.yaml"} <= names


def test_everything_is_loaded_and_the_status_is_zero(config: Path) -> None:
    assert run("--config", str(config)).exit_code == 0
    assert {Path(file).name for file in check_config(config).files} == {
        "staging.yaml",
        "production.yaml",
        "delivery.yaml",
        "alarms",
    }


def test_a_queue_that_no_source_has_is_named(config: Path) -> None:
    (config / "sources" / "alarms" / "source.yaml").write_text(
        SOURCE + "event_type: {path: kind}\nqueue: {name: shared, by_type: {fire: urgent}}\n"
    )
    text = "service: ingest\nsources: [github, alarms]\nqueues: {NAME: {retention_days: 14}}\n"
    for name in ("github", "shared", "urgent"):
        (config / "staging.yaml").write_text(text.replace("NAME", name))
        assert check_config(config).faults == []
    (config / "staging.yaml").write_text(text.replace("NAME", "alarms"))
    (fault,) = check_config(config).faults
    assert fault.key == "queues.alarms"
    assert fault.expected == "no source has this queue; there are github, shared, urgent"


def test_each_fault_is_told_once_with_file_key_and_expectation(config: Path) -> None:
    staging = config / "staging.yaml"
    staging.write_text("service: ingest\nsources: [github, nowhere]\nstreem: {}\n")
    (config / "production.yaml").write_text("service: ingest\nsources: [nowhere, github]\n")
    (config / "delivery.yaml").write_text(DELIVERY.replace("{name: staging}", "{name: stagin}"))
    (config / "sources" / "alarms" / "source.yaml").write_text(SOURCE + "queue: 5\n")
    (config / "sources" / "Bad_Name").mkdir()
    result = run("--config", str(config), "--json")
    assert result.exit_code == 1
    found = {
        (Path(fault["file"]).name, fault["key"]) for fault in json.loads(result.stdout)["faults"]
    }
    assert found == {
        ("staging.yaml", "streem"),
        ("production.yaml", "sources.0"),
        ("stagin.yaml", ""),
        ("source.yaml", "queue"),
        ("Bad_Name", ""),
    }


def test_a_fault_is_one_line_for_people(config: Path) -> None:
    (config / "staging.yaml").write_text("service: ingest\nsources: []\n")
    result = run("--config", str(config))
    assert result.exit_code == 1
    line = f"{config / 'staging.yaml'}: sources: list one source or more"
    assert [text for text in result.output.splitlines() if text.startswith(line)]
    assert result.output.splitlines()[-1].endswith("1 faults")


def test_stages_in_folders_are_found_through_the_delivery_settings(config: Path) -> None:
    (config / "chat").mkdir()
    (config / "chat" / "staging.yaml").write_text("service: chat\nsources: [nowhere]\n")
    stages = "{name: staging, settings: [staging.yaml, chat/staging.yaml]}"
    (config / "delivery.yaml").write_text(DELIVERY.replace("{name: staging}", stages))
    (fault,) = check_config(config).faults
    assert (fault.file, fault.key) == (str(config / "chat" / "staging.yaml"), "sources.0")
    assert fault.expected.startswith("nowhere: no such source; there are ")


def test_no_configuration_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(ConfigCheckError, match="no settings of a stage"):
        check_config(tmp_path)
    with pytest.raises(ConfigCheckError, match="there is no such folder"):
        check_config(tmp_path / "absent")
