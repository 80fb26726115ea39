"""The MozDef message: times, summaries, severities, shapes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.event.body_rules import BodyRules
from pipeline.event.envelope import Envelope
from pipeline.event.events import Event
from pipeline.event.fields import compile_path, find
from pipeline.event.mozdef_event import write_message
from tests.support.bench import NOW_MS, generic, github, record
from tests.support.fakes import out_of_reach

if TYPE_CHECKING:
    from tests.support.bench import Bench


def test_the_arrival_is_the_time_of_an_event_without_one(bench: Bench) -> None:
    bench.run(record(generic({})))
    (message,) = bench.sqs.bodies()
    when = datetime.fromisoformat(message["utctimestamp"])
    assert abs(when - datetime.fromtimestamp(NOW_MS / 1000, UTC)) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", 1),
        ("list.1.x", 2),
        (".", {"a": {"b": 1}, "list": [0, {"x": 2}]}),
        ("list.7", None),
        ("list.-1", None),
        ("a.b.c", None),
        ("list.²", None),
    ],
)
def test_paths(path: str, value: Any) -> None:
    body = {"a": {"b": 1}, "list": [0, {"x": 2}]}
    parts = compile_path(path)
    assert parts is not None
    assert find(body, parts) == value


def test_severity_by_type(bench: Bench) -> None:
    settings = bench.catalog.sources["github"].mozdef
    entries = settings.severity_by_type.entries
    assert entries
    for number, (kind, severity) in enumerate(entries.items()):
        bench.catalog.sources["github"]._validators.clear()
        before = len(bench.sqs.bodies())
        bench.run(record(github({"zen": number}, event=f"{kind}_x", delivery=f"d-{number}")))
        assert bench.sqs.bodies()[before]["severity"] == settings.severity, severity


def test_nothing_of_a_body_or_secret_is_logged(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old framework logged the whole body on an error."""
    from stream_processors import fan_out

    monkeypatch.setattr(fan_out, "fan_out", lambda: bench.fan_out)
    batch = [
        record(generic({"password": "hunter2"})),
        record(github({"password": "hunter2"}, secret="forged")),
        record(generic(b'{"password": "hunter2"')),
        record(b"hunter2"),
    ]

    class Context:
        aws_request_id = "1"

        @staticmethod
        def get_remaining_time_in_millis() -> int:
            return 5_050

    bench.s3.faults.append(out_of_reach())
    fan_out.handler({"Records": batch}, Context)  # type: ignore[arg-type]
    written = capsys.readouterr()
    text = written.out + written.err
    assert '"Rejected"' in text
    for secret in ("hunter2", "CurrentSecretKey", "PreviousSecret12", "sha256="):
        assert secret not in text


def test_what_only_headers_say_is_in_the_details(bench: Bench) -> None:
    """Else nobody could find an event of GitHub's by its type, or by its delivery."""
    bench.run(record(github({"zen": 1}, event="star", delivery="d-1")))
    (message,) = bench.sqs.bodies()
    assert message["details"] == {"event": "star", "request_id": "d-1", "github": {"zen": 1}}


@pytest.mark.parametrize(
    ("body", "actor"),
    [
        ({"actor": {"k": True}}, '{"k": true}'),
        ({"actor": "x" * 40_000}, "x" * 32_742 + " … [cut: 40,000 bytes]"),
        ({"actor": "a", "raw": {"": 1}}, "a"),
    ],
)
def test_rules_and_limits_hold_for_details_of_a_shape_of_their_own(
    bench: Bench, body: dict[str, Any], actor: str
) -> None:
    source = bench.catalog.sources["generic-hmac"]
    shape = {"actor": "actor", "kind": "$type", "body": "$body"}
    rules = BodyRules(((("actor",), "stringify", "", ""),))
    mozdef = replace(source.mozdef, details=shape, rules=rules)
    event = Event("1", "s", 1.0, Envelope("r", NOW_MS, source.name, "", b""), source, "r", "1")
    event.source = replace(source, mozdef=mozdef)
    text = json.dumps(body).encode()
    event.take_body(text, body, 1)
    assert write_message(event) is None
    details = json.loads(event.message)["details"]
    assert details["actor"] == actor
    assert "" not in details["body"].get("raw", {})


def test_a_shape_without_a_key_has_the_fields_alone(bench: Bench) -> None:
    source = bench.catalog.sources["github"]
    mozdef = replace(source.mozdef, details={}, plugin=None)
    event = Event("1", "s", 1.0, Envelope("r", NOW_MS, "github", "", b""), source, "r", "1")
    event.source = replace(source, mozdef=mozdef)
    body = {"sender": {"login": "alice"}}
    event.take_body(json.dumps(body).encode(), body, 2)
    assert write_message(event) is None
    assert json.loads(event.message)["details"] == {"username": "alice"}
