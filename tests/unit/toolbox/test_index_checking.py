"""Private sources are checked against all that shares MozDef's index with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from settings.deployment import load_deployment
from settings.source.loader import available_sources, load_source
from toolbox.sources.checking import check_sources
from toolbox.sources.index_checking import (
    conflict_rows,
    conflicts,
    crowded_stages,
    private_faults,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[str]]:
    """Return the faults of a source with these bodies."""

    def run(*bodies: Any, **mozdef: Any) -> list[str]:
        folder = tmp_path / "sender"
        (folder / "samples").mkdir(parents=True, exist_ok=True)
        settings = {
            "version": 1,
            "title": "Sender",
            "authentication": {"type": "token"},
            "deduplication_hours": 0,
            "mozdef": mozdef,
        }
        (folder / "source.yaml").write_text(yaml.safe_dump(settings))
        for number, body in enumerate(bodies):
            sample = {
                "description": "d",
                "body": json.dumps(body),
                "expect": {"outcome": "delivered"},
            }
            (folder / "samples" / f"s{number}.yaml").write_text(yaml.safe_dump(sample))
        checked = check_sources({"sender": load_source(folder)})
        found = [fault for one in checked for fault in one.faults]
        rows = conflict_rows(conflicts(checked, available_sources()))
        return [*found, *(fault for row in rows for fault in row.faults)]

    return run


def test_what_conflicts_with_itself_is_named_with_both_samples(check: Any) -> None:
    (fault,) = check({"user": "U1"}, {"user": {"id": "U1"}})
    assert fault.startswith(
        "details.sender.user: a text or number in sender (s0); an object in sender (s1). "
    )
    assert "mozdef.rules" in fault


@pytest.mark.parametrize(
    "rule",
    [
        {"stringify": "user"},
        {"drop": "user"},
        {"rename": "user", "to": "user_object", "only": "objects"},
    ],
)
def test_each_rule_settles_it(check: Any, rule: dict[str, str]) -> None:
    assert check({"user": "U1"}, {"user": {"id": "U1"}}, rules=[rule]) == []


def test_what_conflicts_with_another_source_is_named_with_both_and_the_path(check: Any) -> None:
    (fault,) = check({"duration": {"minutes": 1}}, body="top")
    assert fault.startswith("details.duration: a text or number in zoom (")
    assert "an object in sender (s0)" in fault
    assert check({"duration": {"minutes": 1}}) == []


def test_a_source_at_the_top_meets_what_others_have_below_their_names(check: Any) -> None:
    (fault,) = check({"slack": "a text"}, body="top")
    assert fault.startswith("details.slack: a text or number in sender (s0); an object in slack (")


def test_a_field_that_the_template_has_as_another_kind_is_lost(check: Any) -> None:
    assert check({"sourceipaddress": "a name"}, body="top") == []  # its plugin takes that away
    (fault, *_) = check({"ok": "yes"}, details={"success": "ok"})
    assert "lost: MozDef's index refuses it: details.success: a text" in fault


def test_names_without_an_end_are_found_and_settled(check: Any) -> None:
    body = {"by": {"0c6a1f7e-3d53-4b87-9f0e-0a4e9c9f2a11": {"n": 1}}}
    (fault,) = check(body)
    assert fault.startswith("MozDef event 0: details.sender.by: names such as '0c6a1f7e-")
    assert "stringify 'by'" in fault
    assert check(body, rules=[{"stringify": "by"}]) == []
    (fault,) = check({"4711": 1})
    assert "stringify '.'" in fault
    assert check({"4711": 1}, rules=[{"stringify": "."}]) == []


def test_a_type_that_a_plugin_discards_is_a_fault(check: Any) -> None:
    (fault,) = check({"a": 1}, tags=["githubeventsqs"])
    assert fault == "MozDef event 0: lost: MozDef's plugin github_webhooks discards it"


def test_a_thousand_fields_are_too_many(check: Any) -> None:
    (fault,) = check({f"f{number}": number for number in range(1_000)})
    assert "more than 1000 fields" in fault


def test_a_stage_whose_sources_have_more_fields_together_is_warned_of(
    check: Any, tmp_path: Path
) -> None:
    check({f"f{number}": number for number in range(940)})
    alone = {"service": "s", "sources": ["sender"], "source_directory": str(tmp_path)}
    beside = {**alone, "sources": ["sender", "gitlab"]}
    stages = {}
    for name, document in (("alone", alone), ("beside", beside)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(document))
        stages[name] = load_deployment(path)
    (fault,) = crowded_stages(stages)
    assert (fault.file, fault.key) == ("beside", "sources")
    assert fault.expected.startswith("the samples of these 2 sources have 1,0")


def test_config_check_has_the_same_faults_for_private_sources(check: Any, tmp_path: Path) -> None:
    check({"user": "U1"}, {"user": {"id": "U1"}}, {"by": {"4711": 1}})
    (lost, fault) = private_faults([tmp_path, tmp_path / "none"])
    assert (lost.file, lost.key) == (str(tmp_path / "sender"), "mozdef.rules")
    assert "details.sender.by: names such as '4711'" in lost.expected
    assert "sender (s0); an object in sender (s1)" in fault.expected
    check({"user": "U1"}, {"by": {"4711": 1}}, rules=[{"stringify": ["user", "by"]}])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "source.yaml").write_text("nothing")
    assert private_faults([tmp_path]) == []
