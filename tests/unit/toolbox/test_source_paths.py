"""`source check` names a path that no sample of the source has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.source.loader import available_sources, load_source
from tests.support.command import run_here
from toolbox.sources.checking_paths import unseen_paths

SOURCES = available_sources(Path("config/sources"))
SETTINGS: dict[str, Any] = {"version": 1, "title": "T", "authentication": {"type": "token"}}
BODY = {
    "id": "e1",
    "type": "x",
    "at": "2026-11-23T10:00:00Z",
    "user": {"name": "alice", "active": False, "roles": ["a"]},
    "event.id": "dotted",
    "meta": {"log.level": 3, "empty": "", "none": None},
}


def folder_of(tmp_path: Path, *bodies: Any, outcome: str = "delivered", **settings: Any) -> Path:
    folder = tmp_path / "sender"
    (folder / "samples").mkdir(parents=True)
    (folder / "source.yaml").write_text(yaml.safe_dump(SETTINGS | settings))
    for number, body in enumerate(bodies):
        expect: dict[str, Any] = {"outcome": outcome}
        if outcome == "rejected":
            expect["reason"] = "invalid_json"
        text = body if isinstance(body, str) else json.dumps(body)
        sample = {"description": "d", "body": text, "expect": expect}
        (folder / "samples" / f"s{number}.yaml").write_text(yaml.safe_dump(sample))
    return folder


def warnings_of(tmp_path: Path, *bodies: Any, **settings: Any) -> dict[str, str]:
    folder = folder_of(tmp_path, *(bodies or (BODY,)), **settings)
    return {one.key: one.text for one in unseen_paths(load_source(folder))}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_the_samples_of_each_source_have_its_paths(name: str) -> None:
    assert unseen_paths(load_source(SOURCES[name])) == []


@pytest.mark.parametrize(
    ("settings", "key", "said"),
    [
        ({"event_type": {"path": "kind"}}, "event_type.path", "at kind"),
        ({"event_type": {"path": "user"}}, "event_type.path", "at user"),
        ({"delivery_id": {"path": "user.id"}}, "delivery_id.path", "at user.id"),
        ({"delivery_id": {"path": "meta.empty"}}, "delivery_id.path", "at meta.empty"),
        ({"delivery_id": {"path": "meta.none"}}, "delivery_id.path", "at meta.none"),
        ({"delivery_id": {"paths": ["id", "ids"]}}, "delivery_id.paths.1", "at ids"),
        (
            {"delivery_id": {"paths": ["id"], "where_present": ["a", "b"]}},
            "delivery_id.where_present",
            "at a, b",
        ),
        ({"mozdef": {"timestamp": "time"}}, "mozdef.timestamp", "at time"),
        ({"mozdef": {"timestamp": ["time", "when"]}}, "mozdef.timestamp", "at time, when"),
        ({"mozdef": {"summary": "{type} {user.nane}"}}, "mozdef.summary", "at user.nane"),
        (
            {"mozdef": {"summary": "{type|$keys}{? by {user.nane|who}}"}},
            "mozdef.summary",
            "at user",
        ),
        ({"mozdef": {"fields": {"username": "user"}}}, "mozdef.fields.username", "at user"),
        (
            {"mozdef": {"fields": {"success": ["ok", {"path": "fine"}]}}},
            "mozdef.fields.success",
            "at ok, fine",
        ),
        (
            {"mozdef": {"by_value": [{"when": {"id": "e1", "rank": 1}, "severity": "ERROR"}]}},
            "mozdef.by_value.0.when",
            "at rank",
        ),
        ({"mozdef": {"details": {"a": "$body", "b": "users"}}}, "mozdef.details.b", "at users"),
        ({"split": {"path": "events"}}, "split.path", "a list with an event in it at events"),
    ],
)
def test_a_path_that_no_sample_has_is_named_by_its_key(
    tmp_path: Path, settings: dict[str, Any], key: str, said: str
) -> None:
    found = warnings_of(tmp_path, **settings)
    assert list(found) == [key]
    assert said in found[key]


@pytest.mark.parametrize(
    "settings",
    [
        {"event_type": {"path": "type"}},
        {"event_type": {"header": "X-Kind"}, "headers": {"keep": ["X-Kind"]}},
        {"delivery_id": {"paths": ["id", r"event\.id"]}},
        {"delivery_id": {"paths": ["id"], "where_present": ["a", "type"]}},
        {"mozdef": {"timestamp": ["time", "at"]}},
        {"mozdef": {"summary": r"{source} {type} {user.name} {user.active} {meta.log\.level}"}},
        {"mozdef": {"details": {"a": "$type", "b": "user", "c": "user.roles.0", "d": "$body"}}},
    ],
)
def test_a_path_that_a_sample_has_is_no_matter(tmp_path: Path, settings: dict[str, Any]) -> None:
    assert warnings_of(tmp_path, **settings) == {}


@pytest.mark.parametrize(
    ("path", "meant"), [("event.id", r"event\.id"), ("meta.log.level", r"meta.log\.level")]
)
def test_a_dot_that_belongs_to_a_key_is_told(tmp_path: Path, path: str, meant: str) -> None:
    found = warnings_of(tmp_path, delivery_id={"path": path})
    assert found["delivery_id.path"].endswith(f"a key has a dot of its own: write {meant}")


def test_one_sample_is_enough_for_what_is_optional(tmp_path: Path) -> None:
    others = [{"id": "e2"}, {"id": "e3"}]
    settings = {"event_type": {"path": "type"}, "mozdef": {"summary": "{user.name}"}}
    assert warnings_of(tmp_path, *others, BODY, **settings) == {}


def test_the_elements_of_a_list_are_the_events(tmp_path: Path) -> None:
    body = {"events": [{"id": "a"}, {"id": "b", "more": 1}], "type": "x"}
    settings = {"split": {"path": "events"}, "event_type": {"path": "type"},
                "delivery_id": {"path": "id"}, "mozdef": {"summary": "{more}"}}  # fmt: skip
    assert list(warnings_of(tmp_path, body, **settings)) == ["event_type.path"]


def test_a_form_is_read_as_the_pipeline_reads_it(tmp_path: Path) -> None:
    settings = {
        "content_types": ["application/x-www-form-urlencoded"],
        "form_field": "payload",
        "headers": {"keep": ["Content-Type"]},
        "delivery_id": {"path": "id"},
        "event_type": {"path": "kind"},
    }
    found = warnings_of(tmp_path, "payload=%7B%22id%22%3A%22a%22%7D", **settings)
    assert list(found) == ["event_type.path"]


def test_a_text_that_is_to_be_unwrapped_and_is_not_there_is_named(tmp_path: Path) -> None:
    body = {"records": [{"data": '{"a": 1}'}], "message": {"data": '{"a": 1}'}}
    paths = ("records.data", "message.data", "message.date", "record.data")
    found = warnings_of(tmp_path, body, body={"unwrap": [{"path": path} for path in paths]})
    assert list(found) == ["body.unwrap.2.path", "body.unwrap.3.path"]


def test_what_must_be_rejected_shows_nothing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, BODY, event_type={"path": "kind"})
    rejected = {"outcome": "rejected", "reason": "schema_violation"}
    sample = {"description": "d", "body": '{"kind":"x"}', "expect": rejected}
    (folder / "samples" / "rejected.yaml").write_text(yaml.safe_dump(sample))
    assert [one.key for one in unseen_paths(load_source(folder))] == ["event_type.path"]


def test_nothing_is_said_of_a_source_that_shows_no_event(tmp_path: Path) -> None:
    settings = {"event_type": {"path": "kind"}}
    assert warnings_of(tmp_path, '{"kind":', outcome="rejected", **settings) == {}


def test_a_warning_is_said_and_is_no_mismatch(tmp_path: Path) -> None:
    folder_of(tmp_path, BODY, event_type={"path": "kind"})
    words = ("source", "check", "sender", "--sources", str(tmp_path))
    done = run_here(*words)
    assert done.status == 0
    said = "sender, event_type.path: no sample has a text, number or flag at kind"
    assert said in " ".join(done.out.split())
    document = json.loads(run_here(*words, "--json").out)
    assert document["mismatches"] == 0
    assert document["warnings"] == [
        {"source": "sender", "key": "event_type.path",
         "text": "no sample has a text, number or flag at kind"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        ("{type} by {user.name} in {user.team}", "{? in {user.team}}"),
        ("{type} by {$username}", "{? by {$username}}"),
        ("{type}, of {user.team|user.group}", "{? of {user.team|user.group}}"),
        ("{type} by {user.name}", None),
        ("Team {user.team}: {type}", None),
        ("{source} has {type}", None),
        ("{type}{? in {user.team}}, {user.team}", None),
    ],
)
def test_a_word_of_the_summary_that_leads_to_nothing_is_named(
    tmp_path: Path, summary: str, said: str | None
) -> None:
    other = BODY | {"user": {"name": "bob", "team": "red", "group": "g"}}
    mozdef = {"summary": summary, "fields": {"username": "user.team"}}
    found = warnings_of(tmp_path, BODY, other, mozdef=mozdef)
    assert (found == {}) is (said is None)
    assert said is None or said in found["mozdef.summary"]
