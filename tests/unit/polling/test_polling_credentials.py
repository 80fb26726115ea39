"""Credentials: rotated, refused, and tokens that end half way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.event.compiled_poll import CredentialSettings
from tests.support.api_players import OAuthOktaPlayer, OktaPlayer, Reply, reply
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


def test_a_rotated_credential(bench: PollBench, okta: OktaPlayer) -> None:
    bench.good("logs")
    # The parameter has the new value first; the sender knows the old one alone, then the new alone.
    bench.ssm.parameters[bench.parameter] = f"new\n{okta.token}\n"
    bench.now += 400
    bench.new_process()
    bench.good("logs")
    okta.token = "new"
    bench.now += 60
    bench.good("logs")
    tokens = [seen.headers["authorization"].removeprefix("SSWS ") for seen in okta.seen[4:]]
    assert tokens == ["new", "t0ken", "t0ken", "new"]


def test_a_credential_that_was_changed_is_read_anew(bench: PollBench, okta: OktaPlayer) -> None:
    bench.good("logs")
    okta.token = bench.ssm.parameters[bench.parameter] = "changed"
    bench.now += 60
    bench.good("logs")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_is_an_error_without_the_credential(
    bench: PollBench, okta: OktaPlayer, status: int
) -> None:
    bench.ssm.parameters[bench.parameter] = "wrong\nolder\n"
    okta.faults += [Reply(status, b"no")] * 2
    report = bench.poll("logs")
    assert f"status {status}" in str(report.error)
    assert "api_credential" in str(report.error)
    assert "wrong" not in str(report.error)
    assert len(okta.seen) == 2
    # Put right, the next poll works.
    bench.ssm.parameters[bench.parameter] = okta.token
    bench.now += 60
    bench.good("logs")


def test_403_for_the_rate_is_no_refusal_of_the_credential(
    bench: PollBench, okta: OktaPlayer
) -> None:
    okta.faults += [Reply(403, b"", [(LIMIT, "0"), (RESET, str(int(START) + 4))])]
    bench.good("logs")
    assert bench.slept == [5.0]
    assert {seen.headers["authorization"] for seen in okta.seen} == {"SSWS t0ken"}


def test_a_missing_parameter_is_an_error_that_names_it(bench: PollBench, okta: OktaPlayer) -> None:
    bench.ssm.parameters.clear()
    report = bench.poll("logs")
    assert bench.parameter in str(report.error)
    assert not okta.seen


def oauth(
    catalog: Catalog, player: OAuthOktaPlayer, credential: str = "client:s3cret"
) -> PollBench:
    settings = CredentialSettings(type="oauth2", token_path="/oauth2/token", scope="okta.logs.read")
    return PollBench(
        catalog, OKTA, player, credential, poll=lambda poll: replace(poll, credential=settings)
    )


def test_a_token_that_ends_half_way_is_fetched_anew(catalog: Catalog) -> None:
    with OAuthOktaPlayer([okta_event(n) for n in range(10)], page=1, uses=4) as player:
        bench = oauth(catalog, player)
        assert bench.good("logs").events == 10
        assert player.issued == 3
        bench.good("logs")
        assert player.issued == 3, "a token serves for several polls"
        bench.now += 3600
        player.left = 100
        bench.good("logs")
        assert player.issued == 4, "and not beyond its time"


def test_a_token_that_is_refused_at_once_is_fetched_once_alone(catalog: Catalog) -> None:
    with OAuthOktaPlayer([okta_event(1)], uses=0) as player:
        report = oauth(catalog, player).poll("logs")
        assert "status 401" in str(report.error)
        assert player.issued == 1


def test_oauth_takes_the_previous_secret_while_a_rotation_lasts(catalog: Catalog) -> None:
    with OAuthOktaPlayer([okta_event(1)]) as player:
        assert oauth(catalog, player, "client:newer\nclient:s3cret").good("logs").events == 1


@pytest.mark.parametrize(
    "answer",
    [
        reply({"error": "invalid_client"}, status=400),
        reply({"access_token": "a b"}),
        reply({"access_token": 7}),
        reply([1]),
        Reply(200, b"<html>"),
        Reply(302, b"", [("Location", "/elsewhere")]),
    ],
)
def test_an_answer_without_a_token_is_an_error(catalog: Catalog, answer: Reply) -> None:
    with OAuthOktaPlayer([okta_event(1)]) as player:
        player.faults += [answer] * 2
        report = oauth(catalog, player).poll("logs")
        assert str(report.error).startswith("/oauth2/token: ")
        assert "s3cret" not in str(report.error)


@pytest.mark.parametrize("credential", ["no-colon", ":x", "x:", "ü:x", "a\x01:b"])
def test_a_credential_of_the_wrong_form(catalog: Catalog, credential: str) -> None:
    with OAuthOktaPlayer() as player:
        report = oauth(catalog, player, credential).poll("logs")
        assert "credential of okta-system-log" in str(report.error)
        assert not player.seen
