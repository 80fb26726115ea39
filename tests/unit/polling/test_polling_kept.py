"""Feeds whose position is older than what the sender keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.api_players import DuoPlayer, GitHubPlayer, OktaPlayer, OnePasswordPlayer, Reply
from tests.support.polling import START, PollBench, feed_of, okta_event

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

DAY = 86_400
YEAR_HOURS = 365 * 24


def age_days(iso: str, now: float) -> float:
    when = datetime.fromisoformat(iso).astimezone(UTC)
    return (datetime.fromtimestamp(now, UTC) - when) / timedelta(days=1)


class StrictDuo(DuoPlayer):
    """Refuses times that it no longer keeps, as Duo does."""

    def answer(self, seen: Any) -> Reply:
        if int(seen.query["mintime"]) < (self.now() - 180 * DAY) * 1000:
            return Reply(400, b'{"stat":"FAIL","message":"Invalid request parameters"}')
        return super().answer(seen)


def duo_event(number: int, at: float) -> dict[str, Any]:
    when = datetime.fromtimestamp(at, UTC).isoformat()
    return {"activity_id": f"a-{number:03d}", "ts": when, "action": "x"}


def standing(bench: PollBench, feed: str) -> dict[str, Any]:
    row = bench.table.rows[f"{bench.source}#{feed}"]
    return dict(json.loads(row["state"]["S"]))


def test_a_start_before_what_is_kept_begins_there_and_says_so(catalog: Catalog) -> None:
    moment = [START]
    with StrictDuo(lambda: moment[0], page=3) as player:
        credential = f"{player.integration_key}:{player.secret_key}"
        bench = PollBench(catalog, "duo-admin", player, credential, start_hours_ago=YEAR_HOURS)
        player.feeds["activity"] = [duo_event(n, START - (n + 1) * 10 * DAY) for n in range(30)]
        report = bench.good("activity")
        assert (report.outcome, report.events) == ("drained", 17)
        assert "the sender keeps 180 days: the feed begins at 2026-05-27" in report.note
        assert "from 2025-11-23" in report.note
        assert report.counts["PollGaps"] == 1
        assert report.summary["note"] == report.note
        bench.now = moment[0] = START + 300
        again = bench.good("activity")
        assert (again.note, "PollGaps" in again.counts) == ("", False)
        assert standing(bench, "activity")["note"] == report.note, "it is told for a week"
        bench.now = moment[0] = START + 8 * DAY
        bench.good("activity")
        assert standing(bench, "activity")["note"] == ""


def test_a_stack_that_was_off_for_longer_goes_on_at_what_is_kept(catalog: Catalog) -> None:
    moment = [START]
    with StrictDuo(lambda: moment[0]) as player:
        credential = f"{player.integration_key}:{player.secret_key}"
        bench = PollBench(catalog, "duo-admin", player, credential)
        assert not bench.good("activity").note
        bench.now = moment[0] = START + 400 * DAY
        player.feeds["activity"] = [duo_event(0, START + 10 * DAY), duo_event(1, moment[0] - DAY)]
        report = bench.good("activity")
        assert report.events == 1
        assert "from 2026-11-23T20:06:20Z on, cannot be fetched" in report.note


def test_a_long_walk_whose_start_grows_too_old_goes_on_where_it_was(catalog: Catalog) -> None:
    moment = [START]
    with StrictDuo(lambda: moment[0], page=2) as player:
        credential = f"{player.integration_key}:{player.secret_key}"
        bench = PollBench(catalog, "duo-admin", player, credential, start_hours_ago=180 * 24)
        player.feeds["activity"] = [duo_event(n, START - 170 * DAY + n) for n in range(6)]
        player.on_request = lambda _: advance(30)

        def advance(seconds: float) -> None:
            bench.now = moment[0] = moment[0] + seconds

        outcomes = []
        for _ in range(3):
            outcomes.append(bench.good("activity", seconds=50).outcome)
            advance(3_600)
        assert outcomes == ["out of time", "out of time", "drained"]
        assert len(bench.bodies()) == 6


@pytest.mark.parametrize("off", [91, 400])
def test_a_link_older_than_what_is_kept_is_not_followed(catalog: Catalog, off: int) -> None:
    with OktaPlayer([okta_event(0)]) as okta:
        bench = PollBench(catalog, "okta-system-log", okta)
        bench.good("logs")
        bench.now += off * DAY
        okta.events = [okta_event(1)]
        report = bench.good("logs")
        assert report.events == 1
        assert 89.9 < age_days(okta.seen[-2].query["since"], bench.now) < 90
        assert "the sender keeps 90 days" in report.note


def test_a_link_that_is_kept_is_followed_however_old_the_start_is(catalog: Catalog) -> None:
    with OktaPlayer([okta_event(0)]) as okta:
        bench = PollBench(catalog, "okta-system-log", okta)
        for _ in range(5):
            assert not bench.good("logs").note
            bench.now += 80 * DAY
        assert sum("since" in seen.query for seen in okta.seen) == 1


def test_a_cursor_older_than_what_is_kept_is_not_sent(catalog: Catalog) -> None:
    with OnePasswordPlayer() as player:
        bench = PollBench(catalog, "onepassword", player)
        bench.good("itemusages")
        bench.now += 130 * DAY
        report = bench.good("itemusages")
        (asked,) = (json.loads(seen.body) for seen in player.seen[1:])
        assert 119.9 < age_days(asked["start_time"], bench.now) < 120
        assert "the sender keeps 120 days" in report.note


def test_github_begins_at_180_days(catalog: Catalog) -> None:
    with GitHubPlayer() as player:
        variables = {"org": "example-org"}
        bench = PollBench(
            catalog,
            "github-audit-log",
            player,
            variables=variables,
            start_hours_ago=YEAR_HOURS,
        )
        assert "keeps 180 days" in bench.good("audit-log").note
        asked = player.seen[0].query["phrase"].removeprefix("created:>=")
        assert 179.9 < age_days(asked, bench.now) < 180


def test_a_feed_has_its_own_and_a_sender_that_keeps_all_has_none(catalog: Catalog) -> None:
    with OktaPlayer() as okta:
        own = PollBench(
            catalog,
            "okta-system-log",
            okta,
            poll=lambda poll: feed_of(poll, "logs", keeps_days=7),
            start_hours_ago=YEAR_HOURS,
        )
        assert "the sender keeps 7 days" in own.good("logs").note
        none = PollBench(
            catalog,
            "okta-system-log",
            okta,
            poll=lambda poll: replace(poll, keeps_days=None),
            start_hours_ago=YEAR_HOURS,
        )
        assert not none.good("logs").note
        assert age_days(okta.seen[-1].query["since"], START) == 365
