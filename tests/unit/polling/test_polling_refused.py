"""Answers that refuse: GitHub's secondary limit, and what of an answer is in the log."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.polling.excerpts import excerpt
from tests.support.api_players import (
    DuoPlayer,
    GitHubPlayer,
    OAuthOktaPlayer,
    OktaPlayer,
    Reply,
    reply,
)
from tests.support.polling import START, PollBench, okta_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.compiled_source import Catalog

GITHUB, OKTA = "github-audit-log", "okta-system-log"
LEFT = [("X-RateLimit-Remaining", "4999"), ("X-RateLimit-Reset", str(int(START) + 3_000))]
SECONDARY = {
    "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"
    "#about-secondary-rate-limits",
    "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you "
    "try again.",
}
ABUSE = {"message": "You have triggered an abuse detection mechanism. Please retry later."}
LACKING = {"message": "Resource not accessible by personal access token", "status": "403"}


@pytest.fixture
def github() -> Iterator[GitHubPlayer]:
    with GitHubPlayer() as player:
        yield player


@pytest.fixture
def bench(catalog: Catalog, github: GitHubPlayer) -> PollBench:
    credential = f"{github.token}\nolder"
    return PollBench(catalog, GITHUB, github, credential, variables={"org": "example-org"})


def tokens(player: Any) -> set[str]:
    return {seen.headers["authorization"] for seen in player.seen}


@pytest.mark.parametrize(
    "refusal",
    [
        reply(SECONDARY, *LEFT, status=403),
        reply(SECONDARY, status=403),
        reply(SECONDARY, *LEFT, status=429),
        reply(ABUSE, *LEFT, status=403),
        Reply(429, b"", LEFT),
    ],
    ids=["403", "403 without counts", "429", "the older words", "429 without words"],
)
def test_the_secondary_limit_is_a_pause_of_a_minute_with_the_same_credential(
    bench: PollBench, github: GitHubPlayer, refusal: Reply
) -> None:
    github.faults.append(refusal)
    assert bench.good("audit-log").outcome == "drained"
    assert bench.slept == [60.0]
    assert tokens(github) == {f"Bearer {github.token}"}


def test_the_secondary_limit_is_waited_for_longer_each_time_over_polls(
    bench: PollBench, github: GitHubPlayer
) -> None:
    github.faults += [reply(SECONDARY, *LEFT, status=403)] * 8
    pauses = []
    for _ in range(7):
        begun = bench.now
        assert bench.good("audit-log").outcome == "paused"
        row = bench.table.rows[f"{GITHUB}#audit-log"]
        until = int(row["not_before"]["N"]) / 1000
        pauses.append(round(until - begun))
        bench.now = until + 1
        bench.new_process()
    assert pauses == [60 + 120, 240, 480, 960, 1_920, 3_600, 3_600]
    assert bench.good("audit-log").outcome == "drained"
    github.faults.append(reply(SECONDARY, *LEFT, status=403))
    bench.slept.clear()
    bench.now += 300
    assert bench.good("audit-log").outcome == "drained"
    assert bench.slept == [60.0], "a good answer ends the growth"
    assert tokens(github) == {f"Bearer {github.token}"}


def test_what_the_sender_asks_for_goes_before_the_minute(
    bench: PollBench, github: GitHubPlayer
) -> None:
    github.faults.append(reply(SECONDARY, *LEFT, ("Retry-After", "7"), status=403))
    bench.good("audit-log")
    assert bench.slept == [7.0]


def test_a_permission_that_lacks_is_still_the_credentials_fault(
    bench: PollBench, github: GitHubPlayer
) -> None:
    github.faults += [reply(LACKING, *LEFT, status=403)] * 2
    report = bench.poll("audit-log")
    assert "no value of the parameter api_credential is accepted" in str(report.error)
    assert "Resource not accessible" in report.answer
    assert bench.slept == []
    assert len(tokens(github)) == 2


def test_the_log_has_the_first_200_characters_printable(catalog: Catalog) -> None:
    with OktaPlayer([okta_event(1)]) as okta:
        bench = PollBench(catalog, OKTA, okta)
        body = "Tom\x1b[2J\u202e\x9b\x00 " + "é" * 300
        okta.faults.append(Reply(400, body.encode() + b"\xff"))
        report = bench.poll("logs")
        assert report.answer.startswith("Tom\\x1b[2J\\u202e\\x9b\\x00 ééé")
        assert report.answer.isprintable()
        assert report.answer.count("é") == 200 - 11
        assert str(report.error) == "GET /api/v1/logs: status 400"


FORMS = [
    "{}",
    '{{"authorization":"SSWS {}"}}',
    "x" * 190 + "{}",
    "x" * 190 + "{}" * 60,
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_no_credential_is_in_log_or_row(catalog: Catalog, form: str, status: int) -> None:
    token, older = "s3cr3t/t0ken+" * 20, "0lder-value"
    with OktaPlayer([okta_event(1)]) as okta:
        okta.token = token
        bench = PollBench(catalog, OKTA, okta, f"{token}\n{older}\n")
        for echoed in (token, token.upper(), token.replace("/", "\\/"), older):
            text = form.format(*[echoed] * 60).encode()
            okta.faults += [Reply(status, text)] * 4
            report = bench.poll("logs")
            okta.faults.clear()
            told = json.dumps([report.summary, bench.table.rows]).lower()
            assert "s3cr3t" not in told
            assert "0lder" not in told
            assert report.answer
            bench.now += 60


def test_no_part_of_a_signed_request_is_in_the_log(catalog: Catalog) -> None:
    def echo(seen: Any) -> Reply:
        proof = seen.headers["authorization"].removeprefix("Basic ")
        plain = base64.b64decode(proof).decode()
        return Reply(400, f"bad {proof} {plain} {plain.partition(':')[2]} duo-secret".encode())

    with DuoPlayer(lambda: START) as player:
        credential = f"{player.integration_key}:{player.secret_key}"
        bench = PollBench(catalog, "duo-admin", player, credential)
        player.faults.append(echo)
        assert bench.poll("activity").answer == "bad *** *** *** ***"


def test_no_token_and_no_client_secret_is_in_the_log(catalog: Catalog) -> None:
    from tests.unit.polling.test_polling_credentials import oauth

    with OAuthOktaPlayer([okta_event(1)]) as player:
        bench = oauth(catalog, player)
        player.faults.append(reply({"error": "invalid_client", "got": "client:s3cret"}, status=400))
        report = bench.poll("logs")
        assert report.answer == '{"error": "invalid_***", "got": "***"}'
        player.faults += [player.answer, Reply(400, b"no token-1, s3cret")]
        assert bench.poll("logs").answer == "no ***, ***"


def test_a_good_answer_is_never_in_the_log(catalog: Catalog) -> None:
    from tests.support.fakes import client_error

    with OktaPlayer([okta_event(1)]) as okta:
        bench = PollBench(catalog, OKTA, okta)
        bench.kinesis.faults = [client_error("ResourceNotFoundException")]
        report = bench.poll("logs")
        assert (report.outcome, report.answer) == ("failed", "")


def test_a_secret_behind_many_others_is_not_cut_in_two() -> None:
    secret = "ab" * 700
    text = excerpt(secret.encode() * 100, {secret})
    assert "a" not in text
    assert excerpt(b"abc", ()) == "abc"
    assert excerpt(b"", {"", "x"}) == ""
