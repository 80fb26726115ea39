"""Lambda authorizers: identity sources, cache, policies, errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from multidict import CIMultiDict

from ingest_lambdas.authorizer import Authorizer, MixedTokensError
from local.gateway.policies import PolicyError, evaluate
from local.invocation import Invocation
from pipeline.runtime.secret_store import SecretStore
from tests.functional.local.gateway.fakes import FakeFunction
from tests.functional.local.gateway.support import Answer, ApiTemplate, Sender, mock, run, send
from tests.support.fakes import FakeSsm

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

ARN = "arn:aws:execute-api:us-west-2:000000000000:Api/dev/POST/x"
HEADER = "method.request.header.Authorization"
REFUSED = "User is not authorized to access this resource"
TOKEN = {"Authorization": "secret"}


def policy(effect: str = "Allow", resource: Any = "*", **context: Any) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {
        "principalId": "someone",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": context,
    }


def guarded(ttl: int = 300, source: str = HEADER, **properties: Any) -> ApiTemplate:
    api = ApiTemplate()
    guard = api.authorizer(IdentitySource=source, AuthorizerResultTtlInSeconds=ttl, **properties)
    api.method("/x", "POST", mock("{}"), **guard)
    api.method("/y", "POST", mock("{}"), **guard)
    return api


def many(api: ApiTemplate, function: FakeFunction, *requests: tuple[str, dict[str, str]]) -> Any:
    async def scenario(sender: Sender) -> list[Answer]:
        return [await sender.send(path, headers=headers) for path, headers in requests]

    return run(api, scenario, invoke=function)


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}])
def test_missing_identity_source_is_401_without_a_call(headers: dict[str, str]) -> None:
    """Documented: missing or empty with the cache on is 401, and the function is not called."""
    function = FakeFunction(policy())
    answer = send(guarded(), headers=headers, invoke=function)
    assert (answer.status, answer.json) == (401, {"message": "Unauthorized"})
    assert function.events == []


def test_missing_identity_source_reaches_the_function_without_a_cache() -> None:
    """Documented: with a TTL of 0 the identity sources are optional."""
    function = FakeFunction(policy())
    assert send(guarded(ttl=0), invoke=function).status == 200
    assert len(function.events) == 1


def test_event_holds_the_request_and_never_the_body() -> None:
    """Documented: a REQUEST authorizer sees headers, query, path and context, not the body."""
    function = FakeFunction(policy())
    send(guarded(), "/x?a=1&a=2", b"hidden", TOKEN, invoke=function)
    (event,) = function.events
    assert event["function"] == "Function"
    assert event["type"] == "REQUEST"
    assert event["methodArn"] == ARN
    assert event["headers"]["Authorization"] == "secret"
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert event["queryStringParameters"] == {"a": "2"}
    assert event["resource"] == event["path"] == "/x"
    assert event["requestContext"]["path"] == "/dev/x"
    assert event["requestContext"]["stage"] == "dev"
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"
    assert "body" not in event
    assert "hidden" not in str(event)


def test_identity_source_matches_a_header_of_http2() -> None:
    """Reported for AWS: a lower-case `authorization` reaches the function of `Authorization`."""
    function = FakeFunction(policy())
    assert send(guarded(), headers={"authorization": "secret"}, invoke=function).status == 200


def test_cache_is_keyed_by_the_identity_sources_alone() -> None:
    """Documented: neither method nor path is in the key, so a wide policy opens other routes."""
    function = FakeFunction(policy())
    answers = many(guarded(), function, ("/x", TOKEN), ("/x", TOKEN), ("/y", TOKEN))
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert len(function.events) == 1


def test_narrow_policy_in_the_cache_closes_other_routes() -> None:
    """Documented: a cached policy for one method gives 403 on another with the same identity."""
    function = FakeFunction(lambda event: policy(resource=event["methodArn"]))
    answers = many(guarded(), function, ("/x", TOKEN), ("/y", TOKEN))
    assert [answer.status for answer in answers] == [200, 403]
    assert len(function.events) == 1


def test_path_among_the_identity_sources_keeps_routes_apart() -> None:
    function = FakeFunction(lambda event: policy(resource=event["methodArn"]))
    api = guarded(source=f"{HEADER}, context.path")
    answers = many(api, function, ("/x", TOKEN), ("/y", TOKEN), ("/x", TOKEN))
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert len(function.events) == 2


@pytest.mark.parametrize(
    ("source", "statuses"),
    [
        (f"{HEADER}, context.path", [200, 403]),
        (f"{HEADER}, context.httpMethod, context.path", [200, 200]),
    ],
)
def test_method_among_the_identity_sources_keeps_methods_apart(
    source: str, statuses: list[int]
) -> None:
    function = FakeFunction(lambda event: policy(resource=event["methodArn"]))
    api = ApiTemplate()
    guard = api.authorizer(IdentitySource=source, AuthorizerResultTtlInSeconds=300)
    for method in ("POST", "PUT"):
        api.method("/x", method, mock("{}"), **guard)

    async def scenario(sender: Sender) -> list[int]:
        both = [await sender.send("/x", headers=TOKEN, method=one) for one in ("POST", "PUT")]
        return [answer.status for answer in both]

    assert run(api, scenario, invoke=function) == statuses


def test_denial_is_cached_too() -> None:
    function = FakeFunction(policy("Deny"))
    answers = many(guarded(), function, ("/x", TOKEN), ("/x", TOKEN))
    assert [answer.status for answer in answers] == [403, 403]
    assert len(function.events) == 1


def test_failure_is_not_cached() -> None:
    function = FakeFunction({"errorMessage": "boom"}, error="Unhandled")
    answers = many(guarded(), function, ("/x", TOKEN), ("/x", TOKEN))
    assert [answer.status for answer in answers] == [500, 500]
    assert len(function.events) == 2


@pytest.mark.parametrize("mixed", [("junk", "right"), ("right", "junk")])
def test_the_right_token_is_not_locked_out_and_junk_not_let_in_by_a_request_that_has_both(
    catalog: Catalog, mixed: tuple[str, str]
) -> None:
    """The project's own authorizer behind the cache: what is kept is right for what it is kept by.

    Which of several values the cache goes by is API Gateway's own choice: here it is the last.
    """
    secrets = SecretStore(FakeSsm({"/P/generic/dev/auth_token": "right"}), "P", "dev")
    own = Authorizer(catalog, secrets)

    async def ask(_: str, event: Any) -> Invocation:
        try:
            allowed = own.allows({**event, "resource": "/generic"})
        except MixedTokensError as error:
            return Invocation({"errorMessage": str(error)}, "Unhandled")
        return Invocation(policy("Allow" if allowed else "Deny"))

    async def scenario(sender: Sender) -> list[int]:
        headers = CIMultiDict(("Authorization", value) for value in mixed)
        both = await sender.send("/x", headers=headers)
        alone = [
            await sender.send("/x", headers={"Authorization": token}) for token in ("right", "junk")
        ]
        return [answer.status for answer in (both, *alone)]

    assert run(guarded(), scenario, invoke=ask) == [401, 200, 403]


def test_ttl_of_zero_asks_every_time() -> None:
    function = FakeFunction(policy())
    many(guarded(ttl=0), function, ("/x", TOKEN), ("/x", TOKEN))
    assert len(function.events) == 2


def test_cache_expires() -> None:
    function = FakeFunction(policy())

    async def scenario(sender: Sender) -> None:
        await sender.send("/x", headers=TOKEN)
        await asyncio.sleep(1.1)  # longer than it is kept, on any machine
        await sender.send("/x", headers=TOKEN)

    run(guarded(ttl=1), scenario, invoke=function)
    assert len(function.events) == 2


def test_requests_at_once_share_one_call() -> None:
    function = FakeFunction(policy())

    async def scenario(sender: Sender) -> list[Answer]:
        return await asyncio.gather(*(sender.send("/x", headers=TOKEN) for _ in range(20)))

    answers = run(guarded(), scenario, invoke=function)
    assert {answer.status for answer in answers} == {200}
    assert len(function.events) == 1


@pytest.mark.parametrize(
    ("payload", "error", "status", "message"),
    [
        (policy("Deny"), None, 403, f"{REFUSED} with an explicit deny"),
        (policy(resource="arn:other"), None, 403, REFUSED),
        ({"errorMessage": "Unauthorized"}, "Unhandled", 401, "Unauthorized"),
        ({"errorMessage": "Unauthorized!"}, "Unhandled", 500, None),
        ({"errorMessage": "secret is out of reach"}, "Unhandled", 500, None),
        (None, None, 500, None),
        ("allow", None, 500, None),
        ({"principalId": "a"}, None, 500, None),
        ({"policyDocument": {}}, None, 500, None),
        (policy("Maybe"), None, 500, None),
        (policy(nested={"a": 1}), None, 500, None),
        ({**policy(), "context": "text"}, None, 500, None),
        (policy(resource="x" * 513), None, 500, None),
    ],
)  # fmt: skip
def test_verdicts(payload: Any, error: str | None, status: int, message: str | None) -> None:
    """Documented: exactly `Unauthorized` is 401, a denial 403, any other error 500."""
    answer = send(guarded(), headers=TOKEN, invoke=FakeFunction(payload, error))
    assert (answer.status, answer.json) == (status, {"message": message})


@pytest.mark.parametrize(
    ("action", "resource", "verdict"),
    [
        ("execute-api:Invoke", ARN, "allow"),
        ("EXECUTE-API:invoke", ARN, "allow"),
        ("execute-api:*", "*", "allow"),
        ("*", ["arn:aws:nope", ARN.replace("POST", "*")], "allow"),
        ("execute-api:Invoke", ARN[:-1] + "?", "allow"),
        ("execute-api:Invoke", ARN + "?", "implicit deny"),
        ("execute-api:Invoke", ARN.upper(), "implicit deny"),
        ("execute-api:ManageConnections", "*", "implicit deny"),
        (["s3:Get", "execute-api:Inv*"], "arn:*/dev/*", "allow"),
    ],
)
def test_policy_wildcards(action: Any, resource: Any, verdict: str) -> None:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    assert evaluate({"Statement": statement}, ARN) == verdict


def test_explicit_denial_wins() -> None:
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "*", "Resource": ARN}
    assert evaluate({"Statement": [allow, deny]}, ARN) == "explicit deny"
    assert evaluate({"Statement": [allow, deny]}, ARN + "y") == "allow"


def test_condition_is_refused() -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {}}
    with pytest.raises(PolicyError, match="Condition"):
        evaluate({"Statement": [statement]}, ARN)


def test_a_parameter_of_the_query_is_an_identity_source() -> None:
    """Documented for REQUEST authorizers: `method.request.querystring.NAME`; its case counts."""
    function = FakeFunction(policy())
    api = guarded(source="method.request.querystring.key")
    answers = many(api, function, ("/x?key=a", {}), ("/x?key=a", {}), ("/x?KEY=a", {}), ("/x", {}))
    assert [answer.status for answer in answers] == [200, 200, 401, 401]
    assert len(function.events) == 1
