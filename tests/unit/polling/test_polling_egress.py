"""Hostile answers, and where a poll may connect to."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.polling.http_client import HttpClient
from tests.support.api_players import OktaPlayer, Reply, reply
from tests.support.polling import PollBench, okta_event

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


def row(bench: PollBench) -> dict[str, Any]:
    return bench.table.rows[f"{OKTA}#logs"]


def position(bench: PollBench) -> dict[str, Any]:
    return dict(json.loads(row(bench)["position"]["S"]))


def test_a_redirect_within_the_host_is_followed(bench: PollBench, okta: OktaPlayer) -> None:
    def elsewhere(_: Any) -> Reply:
        return Reply(307, b"", [("Location", "/api/v1/logs?sortOrder=ASCENDING&limit=9&after=0")])

    okta.faults += [elsewhere]
    assert bench.good("logs").events == 10


@pytest.mark.parametrize(
    "location",
    [
        "http://192.0.2.1/api/v1/logs",
        "//example.com/",
        "https://127.0.0.1/api/v1/logs",
        "http://127.0.0.1:1/",
        "http://user@127.0.0.1/",
        "ftp://127.0.0.1/",
        "http://[/",
    ],
)
@pytest.mark.parametrize("way", ["redirect", "link"])
def test_nothing_leads_to_another_host(
    bench: PollBench, okta: OktaPlayer, location: str, way: str
) -> None:
    if way == "redirect":
        okta.faults += [Reply(302, b"", [("Location", location)])]
    else:
        okta.faults += [reply([okta_event(1)], ("Link", f'<{location}>; rel="next"'))]
    report = bench.poll("logs")
    assert "leads to" in str(report.error)
    assert not bench.kinesis.records
    assert position(bench)["next"] is None
    assert len(okta.seen) == 1


def test_redirects_end(bench: PollBench, okta: OktaPlayer) -> None:
    okta.faults += [Reply(302, b"", [("Location", "/api/v1/logs")])] * 9
    assert "a redirect too many" in str(bench.poll("logs").error)
    assert len(okta.seen) == 4


def test_an_oversize_answer_is_not_taken_in(
    bench: PollBench, okta: OktaPlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pipeline.polling.poller.HttpClient", lambda origin: HttpClient(origin, 1_000_000)
    )
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    okta.faults += [Reply(200, b"[" + b" " * 1_000_000 + b"]")]
    assert "more than 1000000 bytes" in str(bench.poll("logs").error)
    okta.faults += [Reply(200, bomb, [("Content-Encoding", "gzip")])]
    assert "more than 1000000 bytes" in str(bench.poll("logs").error)
    okta.faults += [Reply(200, gzip.compress(b"[]"), [("Content-Encoding", "gzip")])]
    assert bench.good("logs").outcome == "drained"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"<html>", "no JSON"),
        (b"[1,2", "no JSON"),
        (b"[] []", "no JSON: Extra data"),
        (b'{"a":1}', "no list of events at the answer itself"),
        (b"true", "no list"),
        (b"[" * 200_000, "no JSON"),
        (b'[{"a":' * 100_000, "no JSON"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a":[' + b"0," * 3_000_000 + b"0]}", "bytes around its list"),
        (b"\xff", "no JSON"),
    ],
)
def test_a_hostile_answer_is_an_error_that_does_not_repeat_it(
    bench: PollBench, okta: OktaPlayer, body: bytes, what: str
) -> None:
    okta.faults += [Reply(200, body)]
    report = bench.poll("logs")
    assert what in str(report.error)
    assert "html" not in str(report.error)
    assert position(bench)["next"] is None
    bench.now += 60
    assert bench.good("logs").events == 10


def test_an_api_that_goes_in_a_circle_is_an_error(bench: PollBench, okta: OktaPlayer) -> None:
    def same(_: Any) -> Reply:
        link = f'<{okta.base_url}/api/v1/logs?after=7>; rel="next"'
        return reply([okta_event(1)], ("Link", link))

    okta.faults += [same] * 5
    report = bench.poll("logs")
    assert "same continuation again" in str(report.error)
    assert len(okta.seen) == 2


def test_a_position_whose_link_is_of_another_host(bench: PollBench, okta: OktaPlayer) -> None:
    bench.good("logs")
    plain = position(bench) | {"next": "https://example.com/api/v1/logs?after=1"}
    row(bench)["position"]["S"] = json.dumps(plain)
    assert "the position's link leads to" in str(bench.poll("logs").error)
    assert len(okta.seen) == 4
