"""The authorizer: allow, deny, or an error; never a guess."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ingest_lambdas import authorizer as module
from ingest_lambdas.authorizer import Authorizer, MixedTokensError, UnknownRouteError
from pipeline.event.compiled_source import Catalog
from pipeline.event.secrets import SecretError
from pipeline.runtime.secret_store import SecretStore
from tests.support.fakes import FakeSsm, client_error

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "/P/generic/dev/auth_token"


def request(
    token: str | None = None, *, route: str = "/generic", ip: str = "192.0.2.7", name: str = ""
) -> dict[str, Any]:
    headers = {} if token is None else {name or "Authorization": token}
    return {
        "type": "REQUEST",
        "methodArn": f"arn:aws:execute-api:us-west-2:000000000000:api/dev/POST{route}",
        "resource": route,
        "path": route,
        "headers": headers,
        "requestContext": {"identity": {"sourceIp": ip}, "extendedRequestId": "r"},
    }


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ssm() -> FakeSsm:
    return FakeSsm({NAME: "current\nprevious"})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authorizer(catalog: Catalog, ssm: FakeSsm, clock: Clock) -> Authorizer:
    return Authorizer(catalog, SecretStore(ssm, "P", "dev", clock))


@pytest.mark.parametrize("token", ["current", "previous"])
@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_current_and_previous_token(authorizer: Authorizer, token: str, name: str) -> None:
    assert authorizer.allows(request(token, name=name))


def several(*headers: tuple[str, str]) -> dict[str, Any]:
    """A request as API Gateway tells of it: one value of each name, and all of them."""
    event, every = request(), dict[str, list[str]]()
    for name, value in headers:
        every.setdefault(name, []).append(value)
    return event | {"headers": dict(headers), "multiValueHeaders": every}


@pytest.mark.parametrize("names", [("Authorization",) * 3, ("Authorization", "authorization")])
@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        (("current", "previous", "current"), True),
        (("current", "current"), True),
        (("junk", "more junk"), False),
        (("", "junk"), False),
        (("junk", "current"), None),
        (("current", "junk"), None),
        (("current", ""), None),
    ],
)
def test_several_tokens_are_decided_about_only_where_any_of_them_may_be_kept(
    authorizer: Authorizer, names: tuple[str, ...], values: tuple[str, ...], allowed: bool | None
) -> None:
    event = several(*zip(names, values, strict=False))
    if allowed is None:
        # API Gateway answers 401 to this very text, and keeps no decision.
        with pytest.raises(MixedTokensError, match=r"^Unauthorized$"):
            authorizer.allows(event)
    else:
        assert authorizer.allows(event) is allowed


def test_a_strangers_tokens_and_address_raise_no_error(catalog: Catalog, ssm: FakeSsm) -> None:
    generic = replace(catalog.sources["generic"], allowed_networks=("198.51.100.0/24",))
    authorizer = Authorizer(Catalog({"generic": generic}), SecretStore(ssm, "P", "dev"))
    assert not authorizer.allows(several(("Authorization", "current"), ("Authorization", "junk")))


@pytest.mark.parametrize("token", [None, "", "current ", "Current", "current\nprevious", "ü"])
def test_anything_else_is_denied(authorizer: Authorizer, token: str | None) -> None:
    assert not authorizer.allows(request(token))


def test_the_secret_is_read_once(authorizer: Authorizer, ssm: FakeSsm) -> None:
    for _ in range(20):
        authorizer.allows(request("current"))
        authorizer.allows(request("wrong"))
    assert ssm.calls == 1


def test_a_rotated_token_is_found(authorizer: Authorizer, ssm: FakeSsm, clock: Clock) -> None:
    assert authorizer.allows(request("current"))
    ssm.parameters[NAME] = "next\ncurrent"
    clock.now = 20.0
    assert authorizer.allows(request("next"))
    clock.now = 400.0
    assert not authorizer.allows(request("previous"))


@pytest.mark.parametrize(
    "break_it",
    [
        lambda ssm: ssm.parameters.clear(),
        lambda ssm: ssm.parameters.update({NAME: " \n"}),
        lambda ssm: setattr(ssm, "broken", client_error("ThrottlingException")),
    ],
    ids=["missing", "empty", "throttled"],
)
def test_an_unreadable_secret_is_an_error(
    authorizer: Authorizer, ssm: FakeSsm, break_it: Callable[[FakeSsm], None]
) -> None:
    """It becomes a 500: never an allow, and no 4xx, after which a sender would not retry."""
    break_it(ssm)
    with pytest.raises(SecretError, match=NAME):
        authorizer.allows(request("current"))


def test_a_signed_source_needs_no_token(authorizer: Authorizer) -> None:
    assert authorizer.allows(request(None, route="/github"))


@pytest.mark.parametrize(
    ("ip", "allowed"),
    [("198.51.100.9", True), ("203.0.113.1", False), ("2001:db8::1", True), ("::1", False)],
)
def test_sender_networks(catalog: Catalog, ssm: FakeSsm, ip: str, allowed: bool) -> None:
    networks = ("198.51.100.0/24", "2001:db8::/32")
    github = replace(catalog.sources["github"], allowed_networks=networks)
    authorizer = Authorizer(Catalog({"github": github}), SecretStore(ssm, "P", "dev"))
    assert authorizer.allows(request(route="/github", ip=ip)) is allowed


def test_an_unknown_route_is_an_error(authorizer: Authorizer) -> None:
    with pytest.raises(UnknownRouteError, match="/nobody"):
        authorizer.allows(request(route="/nobody"))


@pytest.mark.parametrize(("token", "effect"), [("current", "Allow"), ("wrong", "Deny")])
def test_the_policy_is_for_this_route_alone(
    authorizer: Authorizer, monkeypatch: pytest.MonkeyPatch, token: str, effect: str
) -> None:
    monkeypatch.setattr(module, "authorizer", lambda: authorizer)
    event = request(token)
    answer = module.handler(event, None)  # type: ignore[arg-type]
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Effect"] == effect
    assert statement["Resource"] == event["methodArn"]
    assert len(statement["Resource"]) <= 512
    assert answer["principalId"] == "generic"
