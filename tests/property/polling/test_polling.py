"""Whatever arrives when, however large pages are and wherever a poll is killed: nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.polling.checkpoints import MARGIN_MS
from tests.support.api_players import GitHubPlayer, OktaPlayer, OnePasswordPlayer, Reply
from tests.support.polling import SECONDS, START, PollBench, okta_event
from tests.support.replay import Killed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.event.compiled_source import Catalog

#: For each poll: how many events arrive before it, and where it is killed (None: it is not).
ROUNDS = st.lists(
    st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(1, 16)), st.booleans()),
    min_size=1,
    max_size=6,
)
SETTINGS = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
AFTER_A_KILL = SECONDS + MARGIN_MS / 1000 + 1


def walk(
    bench: PollBench,
    player: Any,
    feed: str,
    rounds: list[tuple[int, int | None, bool]],
    arrive: Callable[[int, float], None],
) -> int:
    """Poll round by round, whatever comes of it, then to the end; give the number of events."""
    number = 0
    for arrivals, kill_at, fault in rounds:
        for _ in range(arrivals):
            arrive(number, bench.now)
            number += 1
        bench.new_process()
        bench.mortal.kill_at = kill_at
        if fault:
            player.faults.append(Reply(500))
        try:
            bench.poll(feed)
        except Killed:
            bench.now += AFTER_A_KILL
        bench.now += 60
    bench.new_process()
    player.faults.clear()
    bench.now += AFTER_A_KILL
    assert bench.good(feed).outcome == "drained"
    # That may have ended a walk which a kill had cut off. What showed behind its cursor in the
    # meantime lies within the overlap, and is the next walk's.
    bench.now += 60
    assert bench.good(feed).outcome == "drained"
    return number


@SETTINGS
@given(rounds=ROUNDS, page=st.integers(1, 7))
def test_links_that_last(catalog: Catalog, rounds: Any, page: int) -> None:
    with OktaPlayer(page=page) as player:
        bench = PollBench(catalog, "okta-system-log", player)

        def arrive(number: int, _: float) -> None:
            player.events.append(okta_event(number))

        count = walk(bench, player, "logs", rounds, arrive)
        assert bench.delivered("uuid") == [f"event-{number:05d}" for number in range(count)]


@SETTINGS
@given(rounds=ROUNDS, page=st.integers(1, 7))
def test_cursors_that_last(catalog: Catalog, rounds: Any, page: int) -> None:
    with OnePasswordPlayer(page=page) as player:
        bench = PollBench(catalog, "onepassword", player)

        def arrive(number: int, _: float) -> None:
            event = {"uuid": f"u-{number:03d}", "timestamp": "2026-11-23T20:00:00Z", "action": "x"}
            player.feeds["auditevents"].append(event)

        count = walk(bench, player, "auditevents", rounds, arrive)
        assert bench.delivered("uuid") == [f"u-{number:03d}" for number in range(count)]


@SETTINGS
@example(rounds=[(4, 8, False), (1, 1, False)], page=1, late=[0, 0, 0, 0, 192])
@given(rounds=ROUNDS, page=st.integers(1, 7), late=st.lists(st.integers(0, 590), max_size=60))
def test_windows_with_late_events(
    catalog: Catalog, rounds: Any, page: int, late: list[int]
) -> None:
    with GitHubPlayer(page=page) as player:
        bench = PollBench(catalog, "github-audit-log", player, variables={"org": "example-org"})

        def arrive(number: int, now: float) -> None:
            # Shown now, with a time that is up to the overlap older: between two windows, the
            # events of a page already walked past stay within reach of the next walk.
            delay = late[number] if number < len(late) else 0
            event = {
                "@timestamp": int((now - delay) * 1000),
                "_document_id": f"d-{number:03d}",
                "action": "x",
            }
            player.events.append(event)

        count = walk(bench, player, "audit-log", rounds, arrive)
        assert bench.now > START
        assert bench.delivered("_document_id") == [f"d-{number:03d}" for number in range(count)]
