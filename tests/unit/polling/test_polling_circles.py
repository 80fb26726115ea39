"""APIs that lead round in a circle, whatever its length and over however many polls."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.polling.errors import PollError
from pipeline.polling.positions import Position
from tests.support.api_players import OktaPlayer, OnePasswordPlayer, Reply, reply
from tests.support.polling import PollBench, okta_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.event.compiled_source import Catalog
    from pipeline.polling.report import Report

OKTA, PASSWORD = "okta-system-log", "onepassword"
#: More pages than any circle below needs; a poll that is not ended by an error would take them all.
MANY = 400


def cursors(names: Iterable[str], *, events: bool, more: bool = True) -> list[Reply]:
    items = [{"uuid": "u-1", "timestamp": "2026-11-23T20:00:00Z"}] if events else []
    return [reply({"cursor": name, "has_more": more, "items": items}) for name in names]


def circle(length: int, lead: int = 0) -> Iterator[str]:
    before = [f"lead-{number}" for number in range(lead)]
    names = itertools.chain(before, itertools.cycle(f"c-{n}" for n in range(length)))
    return itertools.islice(names, MANY)


@pytest.mark.parametrize("events", [True, False], ids=["events", "empty pages"])
@pytest.mark.parametrize(("length", "lead"), [(2, 0), (2, 1), (3, 0), (7, 5), (60, 0)])
def test_a_circle_of_cursors_is_an_error_that_names_it(
    catalog: Catalog, length: int, lead: int, *, events: bool
) -> None:
    with OnePasswordPlayer() as player:
        bench = PollBench(catalog, PASSWORD, player)
        player.faults += cursors(circle(length, lead), events=events)
        report = bench.poll("itemusages")
        assert f"in a circle: {length} pages after a link or cursor" in str(report.error)
        assert len(player.seen) <= 5 * length + lead + 1


def test_a_circle_of_links_is_an_error_that_names_it(catalog: Catalog) -> None:
    with OktaPlayer() as okta:
        bench = PollBench(catalog, OKTA, okta)
        for name in circle(2):
            link = f'<{okta.base_url}/api/v1/logs?after={name}>; rel="next"'
            okta.faults.append(reply([okta_event(1)], ("Link", link)))
        assert "a circle: 2 pages" in str(bench.poll("logs").error)
        assert "c-0" not in str(bench.poll("logs").error)


@pytest.mark.parametrize("length", [2, 5])
def test_a_circle_is_found_over_many_polls_of_one_page_each(catalog: Catalog, length: int) -> None:
    with OnePasswordPlayer() as player:
        bench = PollBench(catalog, PASSWORD, player)

        def slow(_: Any) -> None:
            bench.now += 30

        def after(seen: Any) -> Reply:
            cursor = json.loads(seen.body).get("cursor", "c--1")
            (following,) = cursors([f"c-{(int(cursor[2:]) + 1) % length}"], events=True)
            return following

        player.on_request = slow
        player.faults += [after] * MANY
        reports: list[Report] = []
        while len(reports) < 5 * length and not (reports and reports[-1].error):
            reports.append(bench.poll("itemusages", seconds=50))
            bench.now += 60
            bench.new_process()
        assert {(each.outcome, each.pages) for each in reports[:-1]} == {("out of time", 1)}
        assert f"a circle: {length} pages" in str(reports[-1].error)


def test_a_circle_between_drained_polls_is_found_and_is_none_while_nothing_is_new(
    catalog: Catalog,
) -> None:
    with OnePasswordPlayer() as player:
        bench = PollBench(catalog, PASSWORD, player)
        player.faults += cursors(["a", "b"] * 20, events=False, more=False)
        for _ in range(40):
            assert bench.good("itemusages").outcome == "drained"
        player.faults += cursors(["a", "b"] * 20, events=True, more=False)
        reports = [bench.poll("itemusages") for _ in range(7)]
        assert "a circle: 2 pages" in str(reports[-1].error)


def test_an_api_that_is_mended_goes_on_by_itself(catalog: Catalog) -> None:
    with OnePasswordPlayer() as player:
        bench = PollBench(catalog, PASSWORD, player)
        player.faults += cursors(circle(2), events=True)
        assert bench.poll("itemusages").error
        player.faults.clear()
        player.faults += cursors(["new"], events=True, more=False)
        assert bench.good("itemusages").outcome == "drained"


def test_what_is_kept_to_find_circles_does_not_grow_and_finds_them_after_a_long_life() -> None:
    position = Position(0)
    for number in range(100_000):
        position = position.moved(f"cursor-{number}")
    assert len(json.dumps(position.__dict__)) < 500
    for length in (1, 2, 3, 10, 1_000):
        steps = itertools.cycle(f"c-{number}" for number in range(length))

        def walk(position: Position, names: Iterable[str]) -> None:
            for _ in range(5 * length + 1):  # noqa: B023 - it is called before the next one
                position = position.moved(next(iter(names)))

        with pytest.raises(PollError, match=f"a circle: {length} pages"):
            walk(position, steps)
