"""`mozdef-ef cost --suggest`: the cheapest of all combinations, in the words of a stage."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from settings.deployment import Deployment, load_deployment
from toolbox.cli.main import app
from toolbox.costs.choices import LEVERS, StageChoices
from toolbox.costs.designs import this_design
from toolbox.costs.prices import load_prices
from toolbox.costs.suggesting import suggest
from toolbox.costs.workload import CostCase, Workload

if TYPE_CHECKING:
    from pathlib import Path

PRICES = load_prices()
THOUSAND = Workload(1_000, 1_024)
RATES = (0.1, 10, 1_000, 100_000)


def of(document: Any, key: str) -> Any:
    for name in key.split("."):
        document = document[name]
    return document


def test_the_defaults_are_those_of_a_stage() -> None:
    """The settings' own model says what a stage has that names none of them."""
    stage = Deployment(stage="a", service="b", sources=("github",)).model_dump()
    for lever in LEVERS:
        if lever.key != "web_acl":  # unset, it follows from the sources
            assert of(stage, lever.key) == lever.default, lever.key
    assert stage["access_log"] == StageChoices().access_log
    for name in ("fan_out", "archiver"):
        assert stage[name]["batch_size"] == PRICES.assume(f"{name}_batch")
        assert stage[name]["memory_mb"] / 1_024 == PRICES.assume("function_gb")
    assert stage["stream"]["retention_hours"] == PRICES.assume("retention_hours")
    assert stage["table"]["target_percent"] / 100 == PRICES.assume("table_use")
    assert stage["log_retention_days"] == PRICES.assume("log_days")
    for name in ("raw_days", "noncurrent_days"):
        assumed = {"raw_days": "archive_days"}.get(name, name)
        assert stage["archive"][name] == PRICES.assume(assumed)


@pytest.mark.parametrize("rate", RATES)
def test_nothing_is_cheaper_than_what_is_suggested(rate: float) -> None:
    workload = Workload(rate, 1_024)
    found = suggest(CostCase(workload, PRICES))
    least = min(
        this_design(
            CostCase(
                workload,
                PRICES,
                StageChoices(
                    **{one.field: value for one, value in zip(LEVERS, values, strict=True)}
                ),
            )
        ).dollars
        for values in itertools.product(*(lever.values for lever in LEVERS))
    )
    assert found.bill.dollars == pytest.approx(least, abs=0.01)
    assert found.bill.dollars <= found.usual.dollars


def test_a_change_says_what_it_saves_and_what_it_trades() -> None:
    found = suggest(CostCase(THOUSAND, PRICES))
    assert found.changes
    for change in found.changes:
        fields = {change.lever.field: change.lever.default}
        back = replace(found.case, choices=replace(found.case.choices, **fields))
        assert this_design(back).dollars - found.bill.dollars == pytest.approx(change.saves)
        assert change.saves > 0
    assert [one.saves for one in found.changes] == sorted(
        (one.saves for one in found.changes), reverse=True
    )


def test_what_is_kept_is_not_changed() -> None:
    every = [lever.key for lever in LEVERS]
    assert not suggest(CostCase(THOUSAND, PRICES), every).changes
    found = suggest(CostCase(THOUSAND, PRICES), ["web_acl"])
    assert found.case.choices.web_acl
    assert {one.lever.key for one in found.changes} >= {"stream.mode", "table.mode"}


@pytest.mark.parametrize("rate", RATES)
def test_a_stage_can_be_set_so(tmp_path: Path, rate: float) -> None:
    settings = suggest(CostCase(Workload(rate, 1_024), PRICES)).settings()
    file = tmp_path / "prod.yaml"
    file.write_text(yaml.safe_dump({"service": "ingest", "sources": ["github"], **settings}))
    stage = load_deployment(file).model_dump()
    for change in suggest(CostCase(Workload(rate, 1_024), PRICES)).changes:
        assert of(stage, change.lever.key) == change.value


def test_the_command_says_it_for_people_and_programs() -> None:
    words = ["cost", "--suggest", "--keep", "web_acl"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert "table:\n  mode: provisioned\n  least_units: 1429" in done.output
    found = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    assert found["settings"]["stream"] == {"mode": "provisioned", "shards": 3}
    assert found["suggested"]["dollars"] < found["default"]["dollars"]
    assert {"key", "value", "saves", "trade"} == set(found["changes"][0])


def test_a_setting_that_is_none_is_refused() -> None:
    done = CliRunner().invoke(app, ["cost", "--suggest", "--keep", "colour"])
    assert done.exit_code == 2
    assert "expected one of" in done.output
