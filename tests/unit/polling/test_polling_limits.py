"""Senders that ask for a pause, and senders with faults."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.api_players import OktaPlayer, Reply
from tests.support.polling import START, PollBench, okta_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.compiled_source import Catalog

OKTA = "okta-system-log"
LIMIT = "X-Rate-Limit-Remaining"
RESET = "X-Rate-Limit-Reset"


@pytest.fixture
def okta() -> Iterator[OktaPlayer]:
    with OktaPlayer([okta_event(number) for number in range(10)], page=4) as player:
        yield player


@pytest.fixture
def bench(catalog: Catalog, okta: OktaPlayer) -> PollBench:
    return PollBench(catalog, OKTA, okta)


def row(bench: PollBench) -> dict[str, Any]:
    return bench.table.rows[f"{OKTA}#logs"]


@pytest.mark.parametrize("after", ["7", "http-date"], ids=["seconds", "date"])  # RFC 9110, 10.2.3
def test_429_with_retry_after_is_waited_for_in_place(
    bench: PollBench, okta: OktaPlayer, after: str
) -> None:
    value = after if after != "http-date" else formatdate(START + 7, usegmt=True)
    okta.faults += [Reply(429, b"", [("Retry-After", value)])]
    assert bench.good("logs").events == 10
    assert bench.slept == [7.0]


def test_429_with_a_reset_header_alone(bench: PollBench, okta: OktaPlayer) -> None:
    okta.faults += [Reply(429, b"", [(LIMIT, "0"), (RESET, str(int(START) + 20))])]
    assert bench.good("logs").events == 10
    assert bench.slept == [21.0]


def test_a_pause_longer_than_the_invocation_is_written_down(
    bench: PollBench, okta: OktaPlayer
) -> None:
    okta.faults += [Reply(429, b"", [("Retry-After", "300")])]
    report = bench.good("logs")
    assert (report.outcome, bench.slept) == ("paused", [])
    assert row(bench)["not_before"]["N"] == str(int((START + 300) * 1000))
    bench.now += 200
    requests = len(okta.seen)
    assert bench.good("logs").outcome == "paused"
    assert len(okta.seen) == requests, "nothing was asked during the pause"
    bench.now += 101
    assert bench.good("logs").events == 10


@pytest.mark.parametrize("value", ["999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_answer_silences_a_feed_for_more_than_an_hour(
    bench: PollBench, okta: OktaPlayer, value: str
) -> None:
    okta.faults += [Reply(429, b"", [("Retry-After", value)])]
    bench.good("logs")
    assert int(row(bench)["not_before"]["N"]) == int((START + 3600) * 1000)


@pytest.mark.parametrize("headers", [[], [("Retry-After", "0")], [("Retry-After", "soon")]])
def test_429_without_an_end_is_asked_less_and_less_often(
    bench: PollBench, okta: OktaPlayer, headers: list[tuple[str, str]]
) -> None:
    okta.faults += [Reply(429, b"", headers)] * 50
    assert bench.good("logs").outcome == "paused"
    assert bench.slept == [1, 2, 4, 8, 16, 32]


def test_the_reserve_of_requests_is_left_to_others(bench: PollBench, okta: OktaPlayer) -> None:
    okta.extra = [(LIMIT, "2"), (RESET, str(int(START) + 10))]
    assert bench.good("logs").events == 10
    assert bench.slept == [11.0]
    okta.extra = [(LIMIT, "1"), (RESET, str(int(bench.now) + 1000))]
    bench.now += 60
    assert bench.good("logs").outcome == "drained"
    assert int(row(bench)["not_before"]["N"]) > bench.now * 1000
    assert bench.good("logs").outcome == "paused"


def test_some_faults_are_tried_again(bench: PollBench, okta: OktaPlayer) -> None:
    okta.faults += [Reply(500), Reply(502, b"<html>"), Reply(200, b"[1, 2, 3]", cut=3)]
    assert bench.good("logs").events == 10
    assert len(bench.slept) == 3
    assert bench.delivered("uuid") == [f"event-{number:05d}" for number in range(10)]


def test_many_faults_end_the_poll_and_the_next_goes_on(bench: PollBench, okta: OktaPlayer) -> None:
    okta.faults += [okta.answer, *[Reply(503)] * 4]
    report = bench.poll("logs")
    assert report.outcome == "failed"
    assert report.counts["PollErrors"] == 1
    assert report.pages == 1
    assert str(report.error) == "GET /api/v1/logs: status 503, 4 times"
    assert report.lag_seconds is not None
    assert report.lag_seconds > 0
    bench.now += 60
    assert bench.good("logs").events == 6
    assert len(bench.bodies()) == 10


@pytest.mark.parametrize("status", [400, 404, 410, 418])
def test_another_status_names_status_and_path_and_nothing_else(
    bench: PollBench, okta: OktaPlayer, status: int
) -> None:
    okta.faults += [Reply(status, b"secret things")]
    report = bench.poll("logs")
    assert str(report.error) == f"GET /api/v1/logs: status {status}"
    assert bench.slept == []
