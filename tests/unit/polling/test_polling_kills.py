"""Kills at every point, two polls at once, and locks that ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.polling.checkpoints import MARGIN_MS, Checkpoints
from pipeline.polling.errors import LeaseLostError, PollError
from tests.support.api_players import OktaPlayer, Reply
from tests.support.fakes import client_error, out_of_reach
from tests.support.polling import SECONDS, FakeCheckpoints, PollBench, okta_event
from tests.support.replay import Killed

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

OKTA = "okta-system-log"
EVENTS = 7
# Acquire, then for each of four pages (the last is empty): put and write, then release; two
# points each. The number is checked below.
POINTS = 2 * (1 + 3 * 2 + 1 + 1)


def test_the_number_of_points_is_known(catalog: Catalog) -> None:
    with OktaPlayer([okta_event(n) for n in range(EVENTS)], page=3) as player:
        bench = PollBench(catalog, OKTA, player)
        bench.good("logs")
        listing = 2  # of the shards
        assert bench.mortal.point == POINTS + listing


@pytest.mark.parametrize("point", range(1, POINTS + 3))
def test_a_kill_at_any_point_loses_nothing_and_delivers_each_once(
    catalog: Catalog, point: int
) -> None:
    with OktaPlayer([okta_event(n) for n in range(EVENTS)], page=3) as player:
        bench = PollBench(catalog, OKTA, player)
        bench.mortal.kill_at = point
        with pytest.raises(Killed):
            bench.poll("logs")
        bench.new_process()
        bench.now += SECONDS + MARGIN_MS / 1000 + 1
        player.events.append(okta_event(EVENTS))
        assert bench.good("logs").outcome == "drained"
        expected = [f"event-{number:05d}" for number in range(EVENTS + 1)]
        assert sorted({json.loads(body)["uuid"] for body in bench.bodies()}) == expected
        assert bench.delivered("uuid") == expected


@pytest.mark.parametrize("request_number", [1, 2, 3, 4])
def test_a_kill_between_page_and_put(catalog: Catalog, request_number: int) -> None:
    with OktaPlayer([okta_event(n) for n in range(EVENTS)], page=3) as player:
        bench = PollBench(catalog, OKTA, player)

        def kill(_: Any) -> None:
            # The answer still comes; whatever the process calls next ends it.
            if len(player.seen) == request_number:
                bench.mortal.dead = True

        player.on_request = kill
        with pytest.raises(Killed):
            bench.poll("logs")
        player.on_request = lambda _: None
        bench.new_process()
        bench.now += SECONDS + MARGIN_MS / 1000 + 1
        bench.good("logs")
        assert bench.delivered("uuid") == [f"event-{number:05d}" for number in range(EVENTS)]


def test_a_second_poll_ends_at_once_while_the_first_goes_on(catalog: Catalog) -> None:
    with OktaPlayer([okta_event(n) for n in range(EVENTS)], page=3) as player:
        bench = PollBench(catalog, OKTA, player)
        second = []

        def meanwhile(_: Any) -> None:
            if len(player.seen) == 2:
                second.append(bench.poll("logs"))

        player.on_request = meanwhile
        first = bench.good("logs")
        (report,) = second
        assert (report.outcome, report.error, report.lag_seconds) == ("skipped", None, None)
        assert report.counts["PollSkipped"] == 1
        assert report.counts["PollErrors"] == 0
        assert first.events == EVENTS
        assert len(bench.bodies()) == EVENTS
        assert bench.good("logs").outcome == "drained", "the lock was given back"


def test_a_poll_that_lost_its_lease_writes_nothing_more(catalog: Catalog) -> None:
    with OktaPlayer([okta_event(n) for n in range(EVENTS)], page=3) as player:
        bench = PollBench(catalog, OKTA, player)
        others = []

        def takeover(_: Any) -> None:
            if len(player.seen) == 2:
                player.on_request = lambda _: None
                # The first process hangs for longer than its lease, and does not know it: its
                # thread waits for this answer, so the time that it sees must not change.
                mine = bench.poller
                bench.new_process(ahead=SECONDS + MARGIN_MS / 1000 + 1)
                others.append(bench.good("logs"))
                bench.poller = mine

        player.on_request = takeover
        report = bench.poll("logs")
        assert isinstance(report.error, LeaseLostError)
        assert others[0].outcome == "drained"
        position = json.loads(bench.table.rows[f"{OKTA}#logs"]["position"]["S"])
        assert position["next"].endswith("after=7"), "the position is the other poll's"
        assert bench.delivered("uuid") == [f"event-{number:05d}" for number in range(EVENTS)]


def test_a_lock_ends_by_itself_and_not_before(catalog: Catalog) -> None:
    with OktaPlayer([okta_event(1)]) as player:
        bench = PollBench(catalog, OKTA, player)
        bench.mortal.kill_at = 3
        with pytest.raises(Killed):
            bench.poll("logs")
        bench.new_process()
        bench.now += SECONDS + MARGIN_MS / 1000
        assert bench.good("logs").outcome == "skipped"
        bench.now += 0.002
        assert bench.good("logs").outcome == "drained"


def test_a_failed_poll_gives_its_lock_back(catalog: Catalog) -> None:
    with OktaPlayer([okta_event(1)]) as player:
        bench = PollBench(catalog, OKTA, player)
        player.faults += [Reply(404)]
        assert bench.poll("logs").error
        assert bench.good("logs").events == 1


class LostAnswer(FakeCheckpoints):
    """Does what it is asked, and loses the answer, so that the client asks again."""

    def update_item(self, **request: Any) -> dict[str, Any]:
        super().update_item(**request)
        return super().update_item(**request)


def test_an_update_that_the_client_tries_again_finds_its_own_lock() -> None:
    checkpoints = Checkpoints(LostAnswer(), "t", lambda: 1000.0)
    lease = checkpoints.acquire("a#b", 60, "start")
    assert lease is not None
    assert checkpoints.acquire("a#b", 60, "start") is None
    checkpoints.write(lease, "next")


def test_fencing_and_release() -> None:
    now = [1000.0]
    table = FakeCheckpoints()
    checkpoints = Checkpoints(table, "t", lambda: now[0])
    first = checkpoints.acquire("a#b", 60, "start")
    assert first is not None
    assert (first.position, first.not_before) == ("start", 0)
    now[0] += 71
    second = checkpoints.acquire("a#b", 60, "other start")
    assert second is not None
    assert second.position == "start"
    with pytest.raises(LeaseLostError):
        checkpoints.write(first, "stale")
    assert not checkpoints.release(first)
    checkpoints.write(second, "new")
    assert checkpoints.release(second, 5_000_000)
    third = checkpoints.acquire("a#b", 60, "start")
    assert third is not None
    assert (third.position, third.not_before) == ("new", 5_000_000)


@pytest.mark.parametrize("fault", [client_error("ResourceNotFoundException"), out_of_reach()])
def test_a_table_out_of_reach_is_an_error_that_names_the_row(fault: Exception) -> None:
    table = FakeCheckpoints()
    table.broken = fault
    with pytest.raises(PollError, match="checkpoint a#b: cannot be written"):
        Checkpoints(table, "t", lambda: 1.0).acquire("a#b", 60, "start")
