"""The MozDef message: times, summaries, severities, shapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.event.fields import SummaryTemplate, compile_path, find
from pipeline.event.mozdef_event import _event_time
from tests.support.bench import NOW_MS, generic, github, record
from tests.support.fakes import out_of_reach

if TYPE_CHECKING:
    from tests.support.bench import Bench

MOMENT = datetime(2026, 11, 23, 20, 8, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T20:08:23Z",
        "2026-11-23T20:08:23+00:00",
        "2026-11-23T21:08:23+01:00",
        "2026-11-23 20:08:23",
        1795464503,
        1795464503.0,
        1795464503000,
        "1795464503",
        "1795464503000",
    ],
)
def test_times_of_senders(value: Any) -> None:
    assert _event_time({"at": value}, [("at",)]) == MOMENT


@pytest.mark.parametrize(
    "value",
    ["", "yesterday", None, True, [], {}, 1e300, -1e300, "9" * 40, "0001-01-01T00:00:00+14:00"],
)
def test_times_that_are_none_give_way_to_the_arrival(value: Any) -> None:
    assert _event_time({"at": value}, [("at",)]) is None


def test_the_arrival_is_the_time_of_an_event_without_one(bench: Bench) -> None:
    bench.run(record(generic({})))
    (message,) = bench.sqs.bodies()
    when = datetime.fromisoformat(message["utctimestamp"])
    assert abs(when - datetime.fromtimestamp(NOW_MS / 1000, UTC)) < timedelta(milliseconds=1)


def test_summaries_fold_what_is_missing() -> None:
    template = SummaryTemplate("{source} {type} {action} by {sender.login} in {repo.name}")
    assert template.render("github", "push", {"sender": {"login": "mona"}}) == (
        "github push by mona in"
    )
    assert template.render("github", "push", []) == "github push by in"


def test_a_summary_keeps_a_hostile_value_short() -> None:
    text = SummaryTemplate("{a}").render("s", "t", {"a": "x\n" * 1000})
    assert len(text) <= 200
    assert "\n" not in text


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
    assert settings.severity_by_type
    for number, (kind, severity) in enumerate(settings.severity_by_type.items()):
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


def test_the_first_time_that_an_event_has_is_taken() -> None:
    paths = [("timestamp",), ("ts",)]
    first, second = "2026-11-23T20:48:23+00:00", "2026-11-23T20:48:24+00:00"
    assert _event_time({"ts": second}, paths) == datetime.fromisoformat(second)
    assert _event_time({"timestamp": "soon", "ts": second}, paths) == datetime.fromisoformat(second)
    both = _event_time({"timestamp": first, "ts": second}, paths)
    assert both == datetime.fromisoformat(first)
    assert _event_time({"ts": None}, paths) is None
    assert _event_time({"ts": second}, ()) is None
