"""Why each feed stands as it does: what `status` makes of the rows that real polls leave."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console, Group

from settings.deployment_alarms import AlarmSettings
from tests.support.api_players import OktaPlayer, Reply, reply
from tests.support.fakes import client_error
from tests.support.polling import PollBench, okta_event
from tests.support.replay import Killed
from tests.unit.toolbox.test_status import QUIET
from toolbox.cli.status_screen import screen
from toolbox.watching.document import status_document
from toolbox.watching.feeds import feed_states
from toolbox.watching.status import FeedState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.compiled_source import Catalog

OKTA = "okta-system-log"


@pytest.fixture
def okta() -> Iterator[OktaPlayer]:
    with OktaPlayer([okta_event(number) for number in range(10)], page=4) as player:
        yield player


@pytest.fixture
def bench(catalog: Catalog, okta: OktaPlayer) -> PollBench:
    return PollBench(catalog, OKTA, okta)


def rows(bench: PollBench) -> dict[tuple[str, str], dict[str, Any]]:
    return {(OKTA, "logs"): bench.table.rows[f"{OKTA}#logs"]}


def why(bench: PollBench, after: float = 0.0) -> str:
    (state,) = feed_states((), rows(bench), {}, bench.now + after)
    return state.why


def test_a_feed_that_is_drained_is_up_to_date(bench: PollBench) -> None:
    bench.good("logs")
    (state,) = feed_states((), rows(bench), {OKTA: ["logs"]}, bench.now)
    assert state.why == "up to date"
    assert state.polled == pytest.approx(bench.now)


def test_a_failed_poll_says_why_in_its_own_words_and_the_answers(
    bench: PollBench, okta: OktaPlayer
) -> None:
    okta.faults.append(reply({"errorSummary": "since is too far in the past"}, status=400))
    bench.poll("logs")
    assert why(bench) == (
        "its last poll failed: GET /api/v1/logs: status 400; it answered: "
        '{"errorSummary": "since is too far in the past"}'
    )


def test_each_thing_that_holds_a_feed_up_is_told_apart(bench: PollBench, okta: OktaPlayer) -> None:
    okta.faults.append(Reply(401))
    bench.poll("logs")
    assert "no value of the parameter api_credential is accepted" in why(bench)
    link = f'<{okta.base_url}/api/v1/logs?sortOrder=ASCENDING&limit=9&after=0>; rel="next"'
    okta.faults += [reply([okta_event(1)], ("Link", link))] * 3
    bench.poll("logs")
    assert why(bench).endswith("gives the same continuation again, with events")
    okta.faults.clear()
    bench.kinesis.faults = [client_error("ResourceNotFoundException")]
    bench.poll("logs")
    assert "ResourceNotFoundException" in why(bench)
    bench.ssm.parameters.clear()
    bench.new_process()
    bench.poll("logs")
    assert f"parameter {bench.parameter}" in why(bench)


def test_a_pause_says_until_when(bench: PollBench, okta: OktaPlayer) -> None:
    okta.faults.append(Reply(429, b"", [("Retry-After", "300")]))
    bench.good("logs")
    assert (
        why(bench) == "paused until 2026-11-23T20:13:20Z: the sender asks for it, 1 times in a row"
    )
    assert why(bench, 301) == "a pause is over; the next poll asks"


def test_a_poll_that_does_not_suffice_is_behind(bench: PollBench, okta: OktaPlayer) -> None:
    def slow(_: Any) -> None:
        bench.now += 20

    okta.on_request = slow
    bench.good("logs", seconds=50)
    assert why(bench).startswith("behind: the time of a poll does not suffice")


def test_a_poll_that_was_killed_is_under_way_until_its_lock_ends(bench: PollBench) -> None:
    bench.mortal.kill_at = 5
    with pytest.raises(Killed):
        bench.poll("logs")
    assert why(bench) == "a poll is under way"
    assert "cut off, out of time or of memory" in why(bench, 200)


def test_a_fault_of_our_own_is_called_one(
    bench: PollBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("pipeline.polling.poller.read_page", broken)
    with pytest.raises(MemoryError):
        bench.poll("logs")
    assert "a fault of this program" in why(bench)


def test_a_feed_that_nobody_polls_any_more_is_told(bench: PollBench) -> None:
    bench.good("logs")
    assert why(bench, 3 * 86_400).startswith("not polled since 2026-11-23T20:08:20Z: is its")


def test_what_the_sender_no_longer_keeps_is_told_beside_it(
    bench: PollBench, catalog: Catalog, okta: OktaPlayer
) -> None:
    bench = PollBench(catalog, OKTA, okta, start_hours_ago=9_000)
    bench.good("logs")
    assert why(bench).startswith("up to date; the sender keeps 90 days: the feed begins at")


def test_a_feed_without_a_row_was_never_polled() -> None:
    states = feed_states((), {}, {"a": ["one", "two"], "b": []}, 0.0)
    assert [(each.source, each.feed) for each in states] == [("a", "one"), ("a", "two"), ("b", "")]
    assert all(each.why.startswith("never polled: see that its schedule") for each in states)
    measured = [FeedState("a", "one", 7.0, 5.0)]
    first, second = feed_states(measured, {}, {"a": ["one", "two"]}, 0.0)
    assert (first.lag_seconds, first.polled, first.why) == (7.0, 5.0, "")
    assert second.why.startswith("never polled")


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"state": {"S": "{"}, "updated": {"N": "x"}},
        {"state": {"S": '{"outcome": 7}'}},
        {"state": {"N": "1"}, "not_before": {"S": "x"}, "owner": {"S": "x"}},
    ],
)
def test_a_broken_row_does_no_harm(row: dict[str, Any]) -> None:
    (state,) = feed_states((), {("a", "b"): row}, {}, 5.0)
    assert "Traceback" not in state.why


def test_screen_risk_and_json_say_it(bench: PollBench, okta: OktaPlayer) -> None:
    okta.faults.append(Reply(400, b"[red]no\x1b[2J"))
    bench.poll("logs")
    measured = [FeedState(OKTA, "logs", 3_700.0, bench.now)]
    feeds = feed_states(measured, rows(bench), {}, bench.now)
    status = replace(QUIET, sources=(), feeds=feeds)
    console = Console(width=200, file=io.StringIO(), record=True)
    risks = status.risks(AlarmSettings())
    console.print(Group(*screen(status, risks)))
    text = console.export_text()
    assert "why:  its last poll failed: GET /api/v1/logs: status 400" in text
    assert "[red]no" in text
    assert "\x1b" not in text
    assert list(map(str, risks)) == [f"feed logs of {OKTA} stands still; {feeds[0].why}"]
    assert json.loads(json.dumps(status_document(status, risks)))["feeds"][0]["why"] == feeds[0].why
