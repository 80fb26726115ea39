"""The built-in pulled sources, each against a server that plays its API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pydantic import ValidationError

from settings.source.loader import available_sources
from settings.source.model import Source
from tests.support.api_players import DuoPlayer, GitHubPlayer, OnePasswordPlayer, Reply
from tests.support.polling import START, PollBench

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

ORG = {"org": "example-org"}


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def password_event(number: int, feed: str, at: float = START - 60) -> dict[str, Any]:
    parts = {
        "auditevents": {"action": "create"},
        "itemusages": {"item_uuid": "ITEM"},
        "signinattempts": {"category": "success"},
    }
    stamp = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"uuid": f"{feed}-{number:03d}", "timestamp": stamp, **parts[feed]}


def test_onepassword_has_one_cursor_for_each_feed(catalog: Catalog) -> None:
    with OnePasswordPlayer(page=3) as player:
        bench = PollBench(catalog, "onepassword", player)
        for feed, events in player.feeds.items():
            events += [password_event(0, feed, START - 90_000)]  # before the start
            events += [password_event(n, feed) for n in range(1, 8)]
            assert bench.good(feed).events == 7
        bench.now += 60
        for feed, events in player.feeds.items():
            assert bench.good(feed).events == 0
            events.append(password_event(8, feed))
            assert bench.good(feed).events == 1
        expected = sorted(f"{feed}-{n:03d}" for feed in player.feeds for n in range(1, 9))
        assert bench.delivered("uuid") == expected
        first = json.loads(player.seen[0].body)
        assert first == {"limit": 1000, "start_time": "2026-11-22T20:08:20Z"}


def test_onepassword_an_empty_page_with_more_goes_on(catalog: Catalog) -> None:
    with OnePasswordPlayer() as player:
        bench = PollBench(catalog, "onepassword", player)
        player.feeds["itemusages"] += [password_event(1, "itemusages")]
        empty = {"cursor": "", "has_more": False, "items": []}
        player.faults += [Reply(200, json.dumps(empty).encode())]
        assert bench.good("itemusages").events == 0
        assert bench.good("itemusages").events == 1, (
            "without a cursor, the start is asked for again"
        )
        answer = {"cursor": "x", "has_more": True, "items": None}
        same = Reply(200, json.dumps(answer).encode())
        player.faults += [same, same]
        assert bench.good("itemusages").outcome == "drained"


def audit(number: int, at: float, **more: Any) -> dict[str, Any]:
    return {
        "@timestamp": int(at * 1000),
        "_document_id": f"doc-{number:03d}",
        "action": "org.add_member",
        **more,
    }


@pytest.mark.parametrize("trailing", [False, True])
def test_github_walks_windows_that_overlap(catalog: Catalog, trailing: bool) -> None:
    with GitHubPlayer(page=4, trailing=trailing) as player:
        bench = PollBench(catalog, "github-audit-log", player, variables=ORG)
        player.events = [audit(n, START - 3600 + n) for n in range(10)]
        report = bench.good("audit-log")
        assert (report.outcome, report.events, report.pages) == ("drained", 10, 3 + trailing)
        assert player.seen[0].query["phrase"] == "created:>=2026-11-22T20:08:20Z"
        assert player.seen[0].headers["x-github-api-version"] == "2022-11-28"
        assert player.seen[0].headers["accept"] == "application/vnd.github+json"
        # One shows that is older than all that was seen; the overlap finds it.
        player.events.append(audit(10, START - 500))
        bench.now += 300
        player.events.append(audit(11, bench.now - 1))
        assert bench.good("audit-log").events == 2
        bench.now += 300
        bench.good("audit-log")
        assert bench.delivered("_document_id") == [f"doc-{n:03d}" for n in range(12)]


def test_github_a_walk_that_was_broken_off_goes_on_at_its_page(catalog: Catalog) -> None:
    with GitHubPlayer(page=4) as player:
        bench = PollBench(catalog, "github-audit-log", player, variables=ORG)
        player.events = [audit(n, START - 3600 + n) for n in range(10)]
        player.faults += [player.answer, Reply(422)]
        assert bench.poll("audit-log").pages == 1
        bench.now += 60
        assert bench.good("audit-log").events == 6
        # The next window begins where the one that was broken off was to end.
        bench.now += 300
        bench.good("audit-log")
        assert player.seen[-1].query["phrase"] == "created:>=2026-11-23T19:58:20Z"


def test_github_waits_when_few_requests_are_left(catalog: Catalog) -> None:
    with GitHubPlayer() as player:
        bench = PollBench(catalog, "github-audit-log", player, variables=ORG)
        headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", str(int(START) + 2000))]
        player.faults += [Reply(403, b"{}", headers)]
        assert bench.good("audit-log").outcome == "paused"


def duo_event(number: int, feed: str, at: float) -> dict[str, Any]:
    if feed == "authentication":
        return {"txid": f"tx-{number:03d}", "timestamp": int(at), "result": "success"}
    kind = {"activity": "activity_id", "telephony": "telephony_id"}[feed]
    return {kind: f"{feed}-{number:03d}", "ts": iso(at), "action": "user_update"}


@pytest.mark.parametrize("feed", ["authentication", "activity", "telephony"])
def test_duo_leaves_the_newest_two_minutes_to_the_next_window(catalog: Catalog, feed: str) -> None:
    moment = [START]
    with DuoPlayer(lambda: moment[0], page=3) as player:
        credential = f"{player.integration_key}:{player.secret_key}"
        bench = PollBench(catalog, "duo-admin", player, credential)
        key = {"authentication": "txid", "activity": "activity_id", "telephony": "telephony_id"}
        player.feeds[feed] = [duo_event(n, feed, START - 700 + 100 * n) for n in range(8)]
        shown = bench.good(feed)
        assert (shown.outcome, shown.events, shown.lag_seconds) == ("drained", 6, 0)
        assert player.seen[0].query["mintime"] == str(int(START - 86_400) * 1000)
        assert player.seen[0].query["maxtime"] == str(int(START - 120) * 1000)
        assert player.seen[0].query["sort"] == "ts:asc"
        assert player.seen[1].query["next_offset"].endswith(",3")
        assert player.seen[1].query["mintime"] == player.seen[0].query["mintime"]
        bench.now = moment[0] = START + 300
        bench.good(feed)
        ids = [event[key[feed]] for event in player.feeds[feed]]
        assert bench.delivered(key[feed]) == sorted(ids)


def test_duo_with_the_previous_secret_and_a_wrong_one(catalog: Catalog) -> None:
    with DuoPlayer(lambda: START) as player:
        good = f"{player.integration_key}:{player.secret_key}"
        bench = PollBench(catalog, "duo-admin", player, f"DIEXAMPLE:wrong\n{good}\n")
        assert bench.good("activity").outcome == "drained"
        bench = PollBench(catalog, "duo-admin", player, "DIEXAMPLE:wrong")
        assert "status 401" in str(bench.poll("activity").error)


def test_a_window_that_would_be_empty_asks_nothing(catalog: Catalog) -> None:
    with DuoPlayer(lambda: START) as player:
        good = f"{player.integration_key}:{player.secret_key}"
        bench = PollBench(catalog, "duo-admin", player, good, start_hours_ago=0)
        assert bench.good("activity").outcome == "drained"
        assert not player.seen
        bench.now += 121
        bench.good("activity")
        assert player.seen[0].query["maxtime"] == str(int(START + 1) * 1000)


def test_a_polled_source_has_no_split_beside_its_feeds() -> None:
    folder = available_sources()["onepassword"]
    document = yaml.safe_load((folder / "source.yaml").read_text())
    Source.model_validate(document)
    with pytest.raises(ValidationError, match="an API's lists of events are named by its feeds"):
        Source.model_validate({**document, "split": {"path": "items"}})
