"""'Nothing new' in the ways in which APIs say it, and answers that only look like it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.event.compiled_poll import PaginationSettings
from pipeline.event.compiled_source import Catalog
from pipeline.polling.emptiness import PageMarks
from pipeline.polling.errors import PollError
from pipeline.polling.pages import Page, read_page
from tests.support.api_players import DuoPlayer, OktaPlayer, OnePasswordPlayer, Reply
from tests.support.polling import START, PollBench, feed_of, okta_event

ITEMS, NESTED = ("items",), ("response", "items")
MARKS = PageMarks((("cursor",), ("has_more",), ("response", "metadata", "next")))
FAIL = {"stat": "FAIL", "code": 40002, "message": "Invalid request parameters"}


@pytest.mark.parametrize("path", [ITEMS, NESTED, ()])
@pytest.mark.parametrize("body", [b"", b" \r\n", b"\xef\xbb\xbf", b"null", b"{}", b"[]", b" [ ] "])
def test_an_answer_without_anything_is_nothing_new(body: bytes, path: tuple[str, ...]) -> None:
    assert not read_page(body, path, MARKS).events


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"items": None}, ITEMS),
        ({"items": {}}, ITEMS),
        ({"items": []}, ITEMS),
        ({"items": None, "errors": [], "error": None, "err": "", "error_code": 0}, ITEMS),
        ({"cursor": "", "has_more": False}, ITEMS),
        ({"cursor": None, "total": 0}, ITEMS),
        ({"cursor": "abc", "users": [], "ids": [1, 2]}, ITEMS),
        ({"stat": "OK", "response": {}}, NESTED),
        ({"stat": "OK", "response": []}, NESTED),
        ({"stat": "OK", "response": None}, NESTED),
        ({"stat": "OK", "response": ""}, NESTED),
        ({"stat": "OK"}, NESTED),
        ({"ok": True, "response": {"metadata": {}}}, NESTED),
        ({"status": 200, "success": True}, ITEMS),
        ({"response": {"metadata": {"next": None}}}, NESTED),
    ],
)
def test_a_page_without_its_list_is_nothing_new(
    document: dict[str, Any], path: tuple[str, ...]
) -> None:
    page = read_page(json.dumps(document).encode(), path, MARKS)
    assert not page.events


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"error": "rate limited"}, ITEMS),
        ({"error": {"code": 7}, "cursor": "x"}, ITEMS),
        ({"errors": [{"message": "x"}], "items": None}, ITEMS),
        ({"errors": ["x"], "items": []}, ITEMS),
        ({"errorCode": "E0000011", "errorSummary": "x", "cursor": ""}, ITEMS),
        (FAIL, NESTED),
        (FAIL | {"response": None}, NESTED),
        (FAIL | {"response": ""}, NESTED),
        ({"ok": False, "error": "not_authed"}, ITEMS),
        ({"success": False, "items": []}, ITEMS),
        ({"status": "error", "items": []}, ITEMS),
        ({"status": 500, "items": {}}, ITEMS),
        ({"code": "403", "cursor": None}, ITEMS),
        ({"meta": {"error": "x"}, "items": []}, ITEMS),
        ({"response": {"error": "x", "items": []}}, NESTED),
        ({"fault": {"faultstring": "x"}, "cursor": ""}, ITEMS),
        ({"message": "Bad credentials"}, ITEMS),
        ({"total": 0}, ITEMS),
        ({"items": False}, ITEMS),
        ({"items": ""}, ITEMS),
        ({"items": 0}, ITEMS),
        ({"response": ""}, NESTED),
        ({"response": [{"a": 1}]}, NESTED),
        ({"items": {"a": 1}}, ITEMS),
        ([{"a": 1}], ITEMS),
        ({"message": "x"}, ()),
    ],
)
def test_an_error_with_200_is_not_nothing_new(document: Any, path: tuple[str, ...]) -> None:
    with pytest.raises(PollError, match="the answer"):
        read_page(json.dumps(document).encode(), path, MARKS)


def test_events_under_another_key_are_never_passed_over() -> None:
    body = json.dumps({"cursor": "b", "entries": [{"id": 1}]}).encode()
    with pytest.raises(PollError, match="a list with something at 'entries'"):
        read_page(body, ITEMS, PageMarks((("cursor",),), absent_is_empty=True))


def test_a_setting_vouches_for_objects_without_the_list() -> None:
    body = b'{"total": 0}'
    assert read_page(body, ITEMS, PageMarks(absent_is_empty=True)) == Page([], {"total": "0"})
    with pytest.raises(PollError, match="there was an error"):
        read_page(b'{"error": 1}', ITEMS, PageMarks(absent_is_empty=True))


def test_events_beside_a_partial_error_are_taken() -> None:
    body = b'{"items": [{"id": 1}], "errors": ["one region is slow"]}'
    assert read_page(body, ITEMS, MARKS).events == [b'{"id": 1}']


@pytest.mark.parametrize("answer", [Reply(204), Reply(200), Reply(200, b"null"), Reply(200, b"{}")])
def test_a_link_feed_that_has_nothing_new_is_drained_and_goes_on(
    catalog: Catalog, answer: Reply
) -> None:
    with OktaPlayer([okta_event(0)]) as okta:
        bench = PollBench(catalog, "okta-system-log", okta)
        assert bench.good("logs").events == 1
        before = json.loads(bench.table.rows["okta-system-log#logs"]["position"]["S"])
        okta.faults.append(answer)
        report = bench.good("logs")
        assert (report.outcome, report.events, report.lag_seconds) == ("drained", 0, 0)
        after = json.loads(bench.table.rows["okta-system-log#logs"]["position"]["S"])
        assert after["next"] == before["next"]
        okta.events.append(okta_event(1))
        assert bench.good("logs").events == 1


@pytest.mark.parametrize(
    "answer",
    [Reply(204), Reply(200, b'{"cursor":"","has_more":false}'), Reply(200, b'{"has_more":false}')],
)
def test_a_cursor_feed_whose_list_is_left_out_is_drained(catalog: Catalog, answer: Reply) -> None:
    with OnePasswordPlayer() as player:
        bench = PollBench(catalog, "onepassword", player)
        player.faults.append(answer)
        assert bench.good("itemusages").outcome == "drained"
        player.feeds["itemusages"].append({"uuid": "u", "timestamp": "2026-11-23T20:00:00Z"})
        assert bench.good("itemusages").events == 1


def test_a_window_whose_list_is_left_out_ends_and_an_error_holds_it(catalog: Catalog) -> None:
    with DuoPlayer(lambda: START) as player:
        credential = f"{player.integration_key}:{player.secret_key}"
        bench = PollBench(catalog, "duo-admin", player, credential)
        player.faults.append(Reply(200, json.dumps(FAIL).encode()))
        report = bench.poll("activity")
        assert "the answer says that there was an error: 'stat' is set" in str(report.error)
        assert "Invalid request parameters" in report.summary["answer"]
        row = bench.table.rows["duo-admin#activity"]
        assert json.loads(row["position"]["S"])["until"] is None
        player.faults.append(Reply(200, b'{"stat":"OK","response":{"metadata":{}}}'))
        assert bench.good("activity").outcome == "drained"


def test_the_settings_of_a_feed_reach_its_pages(catalog: Catalog) -> None:
    cursor = PaginationSettings(type="cursor", more=None, cursor=("next",), send_as="after")

    def changed(**more: Any) -> Any:
        return lambda poll: feed_of(poll, "logs", events=("items",), pagination=cursor, **more)

    with OktaPlayer() as okta:
        okta.faults += [Reply(200, b'{"total": 0}'), Reply(200, b'{"total": 0}')]
        bench = PollBench(catalog, "okta-system-log", okta, poll=changed())
        assert "no list of events at items" in str(bench.poll("logs").error)
        okay = PollBench(catalog, "okta-system-log", okta, poll=changed(empty_when_absent=True))
        assert okay.good("logs").outcome == "drained"


def test_the_same_bytes_are_one_event_only_where_copies_are_dropped(catalog: Catalog) -> None:
    setting: Any
    twice = Reply(200, b'[{"door":"open"},{"door":"open"}]')
    with OktaPlayer() as okta:
        okta.faults += [twice, twice]
        bench = PollBench(catalog, "okta-system-log", okta)
        assert (bench.good("logs").events, len(bench.bodies())) == (1, 1)
        for setting in ({"deduplication_seconds": 0}, {"body_hash_seconds": 0}):
            okta.faults.append(twice)
            other = PollBench(catalog, "okta-system-log", okta)
            source = other.catalog.sources["okta-system-log"]
            other.catalog = Catalog({"okta-system-log": replace(source, **setting)})
            other.new_process()
            assert (other.good("logs").events, len(other.bodies())) == (2, 2)
