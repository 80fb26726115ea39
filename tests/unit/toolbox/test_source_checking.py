"""`source check`: every sample of every source, and what the check says where one does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from settings.source.loader import SourceError, available_sources, load_source
from toolbox.cli.source_check import check_folders
from toolbox.sources.checking import CheckedSample, check_sources
from toolbox.sources.mozdef_contract import violations

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES = available_sources(Path("config/sources"))
SETTINGS: dict[str, Any] = {
    "version": 1,
    "title": "A sender",
    "authentication": {"type": "token"},
    "event_type": {"path": "type"},
    "delivery_id": {"path": "id"},
    "mozdef": {"timestamp": "at"},
}
GOOD = {"description": "d", "body": '{"id":"a","type":"x"}', "expect": {"outcome": "delivered"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "sender"
    (made / "samples").mkdir(parents=True)
    return made


@pytest.fixture
def check(folder: Path) -> Callable[..., list[CheckedSample]]:
    def run(*samples: dict[str, Any], update: bool = False, **settings: Any) -> list[CheckedSample]:
        (folder / "source.yaml").write_text(yaml.safe_dump(SETTINGS | settings))
        for number, sample in enumerate(samples):
            (folder / "samples" / f"s{number}.yaml").write_text(yaml.safe_dump(sample))
        return check_sources({"sender": load_source(folder)}, update=update)

    return run


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_sample_of_every_source_fits(name: str) -> None:
    checked = check_folders({name: SOURCES[name]})
    assert [
        f"{one.sample}: {'; '.join(one.faults)}{one.diff}" for one in checked if not one.fits
    ] == []


def test_a_sample_that_ends_otherwise_is_told_with_the_reason(check: Any) -> None:
    (one,) = check({**GOOD, "body": '{"id":'})
    assert not one.fits
    assert (one.expected, one.actual) == ("delivered", "invalid_json")
    assert "unexpected end of data" in one.faults[0]


def test_the_path_and_the_rule_of_a_schema_violation_are_told(check: Any, folder: Path) -> None:
    schema = {"properties": {"user": {"properties": {"name": {"type": "string"}}}}}
    (folder / "event.json").write_text(json.dumps(schema))
    body = {"id": "a", "user": {"name": 1}}
    (one,) = check({**GOOD, "body": json.dumps(body)}, schemas={"default": "event.json"})
    assert "body.user.name must be string (rule 'type')" in one.faults[0]


def test_two_samples_that_are_one_event_are_a_mismatch(check: Any) -> None:
    first, second = check(GOOD, {**GOOD, "body": '{"id":"a","type":"y"}'})
    assert first.fits
    assert second.actual == "duplicate"
    assert "same event as in sample s0, by deduplication key sender#a" in second.faults[0]


def test_a_request_that_is_split_counts_its_events(check: Any) -> None:
    body = json.dumps([{"id": "a"}, {"id": "b"}, {"id": "a"}])
    expect = {"outcome": "delivered", "events": 3}
    (one,) = check({**GOOD, "body": body, "expect": expect}, split={"path": "."})
    assert (one.expected, one.actual) == ("delivered x3", "delivered x2, duplicate")


@pytest.mark.parametrize(
    ("sample", "settings", "status"),
    [
        ({"sign": "missing"}, {}, 401),
        ({"sign": "wrong"}, {}, 403),
        ({"content_type": "text/xml"}, {}, 415),
        ({"headers": {"x-no": "1"}}, {"headers": {"keep": ["X-Id"], "require": ["X-Id"]}}, 400),
        ({"headers": {"x-id": ""}}, {"headers": {"keep": ["X-Id"], "require": ["X-Id"]}}, 400),
        ({"headers": {"X-Id": " "}}, {"headers": {"keep": ["X-Id"], "require": ["X-Id"]}}, 400),
        ({"method": "GET"}, {}, 404),
        ({"body": '{"id":"' + 1_100_000 * "x" + '"}'}, {}, 413),
    ],
)
def test_what_the_front_door_refuses(
    check: Any, sample: dict[str, Any], settings: dict[str, Any], status: int
) -> None:
    expect = {"outcome": "refused", "status": status}
    (one,) = check({**GOOD, **sample, "expect": expect}, **settings)
    assert one.faults == ()
    assert one.actual == f"refused {status}"
    (other,) = check({**GOOD, **sample}, **settings)
    assert not other.fits


def test_the_token_follows_its_prefix(check: Any) -> None:
    token = {"type": "token", "header": "X-Token", "prefix": "Bearer "}
    (one,) = check({**GOOD, "sign": "previous"}, authentication=token)
    assert one.fits


def test_a_source_with_networks_is_sent_to_from_one_of_them(check: Any) -> None:
    (one,) = check(GOOD, allowed_networks=["198.51.100.0/24", "2001:db8::/32"])
    assert one.fits


def test_an_answer_must_hold_what_the_sample_says(check: Any) -> None:
    settings = {"handshake": {"get": {"header": "X-Challenge", "field": "verification"}}}
    sample = {**GOOD, "method": "GET", "body": "", "headers": {"x-challenge": "abc"}}
    right = {"outcome": "answered", "answer": {"verification": "abc"}}
    wrong = {"outcome": "answered", "answer": {"verification": "abd"}}
    good, bad = check({**sample, "expect": right}, {**sample, "expect": wrong}, **settings)
    assert good.fits
    assert bad.faults == ("answer: verification: expected 'abd', is 'abc'",)
    (without,) = check({**sample, "headers": {}, "expect": right}, **settings)[:1]
    assert without.actual == "refused 400"


def test_mozdef_events_are_kept_and_compared(check: Any, folder: Path) -> None:
    sample = {**GOOD, "body": '{"id":"a","at":"2026-11-23T10:00:00+01:00"}'}
    broken = {**GOOD, "body": "{", "expect": {"outcome": "rejected", "reason": "invalid_json"}}
    assert all(one.fits for one in check(sample, broken, update=True))
    kept = folder / "samples" / "s0.mozdef.json"
    assert sorted(path.name for path in folder.glob("samples/*.json")) == [kept.name]
    assert json.loads(kept.read_text())["utctimestamp"] == "2026-11-23T09:00:00.000+00:00"
    assert all(one.fits for one in check(sample, broken))

    differing, _ = check(sample, broken, mozdef={"timestamp": "at", "severity": "ERROR"})
    assert not differing.fits
    assert '-  "severity": "INFO"' in differing.diff
    assert '+  "severity": "ERROR"' in differing.diff
    mended = check(sample, broken, update=True, mozdef={"severity": "ERROR", "timestamp": "at"})
    assert all(one.fits for one in mended)


def test_the_event_of_an_arrival_time_is_the_same_at_each_check(check: Any) -> None:
    assert check(GOOD, update=True)[0].fits
    assert check(GOOD)[0].fits


def test_a_split_request_keeps_its_events_in_order(check: Any, folder: Path) -> None:
    body = json.dumps([{"id": str(number)} for number in range(12)])
    sample = {**GOOD, "body": body, "expect": {"outcome": "delivered", "events": 12}}
    assert check(sample, split={"path": "."}, update=True)[0].fits
    kept = json.loads((folder / "samples" / "s0.mozdef.json").read_text())
    ids = [event["details"]["sender"]["id"] for event in kept]
    assert ids == [str(number) for number in range(12)]


def test_a_broken_file_of_mozdef_events_says_how_to_mend_it(check: Any, folder: Path) -> None:
    (folder / "samples" / "s0.mozdef.json").write_text("{")
    with pytest.raises(SourceError, match=r"s0\.mozdef\.json: not JSON: .*--update"):
        check(GOOD)


def test_a_wrong_folder_is_a_mismatch_among_the_others(folder: Path, check: Any) -> None:
    check(GOOD)
    other = folder.parent / "other"
    other.mkdir()
    (other / "source.yaml").write_text("version: 3\n")
    empty = folder.parent / "empty"
    empty.mkdir()
    (empty / "source.yaml").write_text(yaml.safe_dump(SETTINGS))
    found = check_folders({"other": other, "sender": folder, "empty": empty})
    assert [(one.source, one.fits) for one in found] == [
        ("empty", False),
        ("other", False),
        ("sender", True),
    ]
    assert "no sample that is delivered" in found[0].faults[0]
    assert "source.yaml: version" in found[1].faults[0]


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"tags": "text"}, "tags: no list"),
        ({"details": []}, "details: no object"),
        ({"timestamp": "2026-11-23T10:00:00"}, "timestamp: no offset"),
        ({"timestamp": 7}, "timestamp: no ISO 8601 time"),
        ({"utctimestamp": "2026-11-23T10:00:00+01:00"}, "utctimestamp: not in UTC"),
        ({"summary": ""}, "summary: empty"),
        ({"severity": "LOUD"}, "severity: none"),
        ({"extra": 1}, "dropped without a word: extra"),
        ({"load": 1}, "load: part of the name of another key"),
    ],
)
def test_each_rule_of_the_contract(change: dict[str, Any], broken: str) -> None:
    event: dict[str, Any] = dict.fromkeys(
        ("processid", "processname", "hostname", "category", "source", "summary"), "x"
    )
    event |= {"severity": "INFO", "tags": ["x"], "details": {}}
    event |= dict.fromkeys(("timestamp", "utctimestamp"), "2026-11-23T10:00:00+00:00")
    assert violations(event) == []
    assert any(broken in violation for violation in violations(event | change))
    assert violations([event]) == ["the message is no object but list: it is deleted"]
    del event["category"]
    assert any("missing: category" in violation for violation in violations(event))
