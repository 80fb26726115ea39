"""`mozdef-ef send`: which payloads a word means, and what is said of the door's answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from settings.source.loader import LoadedSource, available_sources, load_source
from tests.support.command import run_here
from tests.support.terminal import fits, is_golden, shown
from toolbox.cli.send import _report
from toolbox.sources.captured.listening import RequestServer, WireAnswer
from toolbox.sources.samples import SampleRequest
from toolbox.terminal.nearest import NotFoundError
from toolbox.traffic.requests import payloads
from toolbox.traffic.sender import COPY, SPOILT, FrontDoorAnswer, Outgoing, send_all

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture(scope="module")
def sentry() -> LoadedSource:
    return load_source(available_sources()["sentry"])


def names(source: LoadedSource, *words: str) -> list[str]:
    return [name for name, _, _ in payloads(source, words, {})]


def test_a_word_is_a_sample_a_type_or_a_file(
    sentry: LoadedSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("body.json").write_text("{}")
    assert names(sentry) == ["issue-created", "metric-alert", "taken-by-sentry"]
    assert names(sentry, "broken-json") == ["broken-json"]
    # Its type is in a header, and two samples have it; one that is rejected is not meant.
    assert "issue-created" in names(sentry, "issue")
    assert "schema-violation" not in names(sentry, "issue")
    assert names(sentry, "metric_alert", "body.json") == ["metric-alert", "body.json"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("metric_alrt", "did you mean metric_alert"),
        ("wrong-secret", "no such sample, type or file of sentry"),  # each is signed rightly
        ("none.json", "no such sample, type or file of sentry"),
        ("", "no such sample, type or file of sentry"),
    ],
)
def test_a_word_that_means_nothing_has_its_nearest(
    sentry: LoadedSource, word: str, said: str
) -> None:
    with pytest.raises(NotFoundError, match=said):
        names(sentry, word)


def test_the_type_is_that_of_a_bodys_path_as_well() -> None:
    source = load_source(available_sources()["stripe"])
    document = json.loads(payloads(source, [], {})[0][1])
    assert {
        json.loads(body)["type"] for _, body, _ in payloads(source, [document["type"]], {})
    } == {document["type"]}


def answered(*given: tuple[str, int, str, str]) -> list[FrontDoorAnswer]:
    request = SampleRequest({}, b"")
    return [
        FrontDoorAnswer(Outgoing("watch", label, request), status, "", error, 0.01, message)
        for label, status, error, message in given
    ]


def report(answers: Sequence[FrontDoorAnswer]) -> str:
    source = load_source(available_sources()["sentry"])
    return shown(lambda: _report(source, list(answers), 0.5, as_json=False))


def test_the_doors_own_words_are_shown_and_what_was_sent_on_purpose() -> None:
    missing = "Required headers are missing: X-Sig."
    told = report(
        answered(
            ("a", 200, "", ""), ("b", 200, "", ""), (COPY, 200, "", ""),
            (SPOILT, 401, "bad_signature", "The signature is missing or does not fit."),
            ("c", 400, "bad_request", missing), ("d", 413, "\x1b[31mlarge", ""),
            ("e", 502, "", ""),
        )
    )  # fmt: skip
    fits(told)
    assert "\x1b" not in told
    is_golden("send", told)


def test_nothing_is_said_of_copies_where_there_are_none() -> None:
    told = report(answered(("a", 200, "", "")))
    assert "1 request in 0.5 s" in told
    assert "sent as" not in told


def test_a_refusals_message_is_read_from_the_doors_answer() -> None:
    """An answer of API Gateway's own has a message alone; the receiver's has a word as well."""
    bodies = [
        b'{"message":"Forbidden"}',
        b'{"status":"error","error":"bad_request","message":"Header X is missing."}',
        b"[]", b"\xff",
    ]  # fmt: skip
    found: list[FrontDoorAnswer] = []

    async def play() -> None:
        left = iter(bodies)
        door = RequestServer(lambda _: WireAnswer(403, next(left)), print)
        async with await door.start("127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            sent = [Outgoing("watch", "a", SampleRequest({}, b""))] * len(bodies)
            await send_all(f"http://127.0.0.1:{port}", sent, concurrency=1, on_answer=found.append)

    asyncio.run(play())
    assert [(one.error, one.message) for one in found] == [
        ("Forbidden", "Forbidden"), ("bad_request", "Header X is missing."), ("", ""), ("", ""),
    ]  # fmt: skip


def test_the_help_says_what_can_be_sent() -> None:
    assert "[TYPE|SAMPLE|FILE]..." in run_here("send", "--help").out
