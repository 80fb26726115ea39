"""Tokens in addresses, passwords, handshakes by GET and HEAD, fixed answers: stack and requests.

The requests go through the deployed template: routes, identity sources, mapping templates and
answers are those of the stack; both functions run in this process.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest

from ingest_lambdas.authorizer import Authorizer, handler
from ingest_lambdas.receiver import Receiver
from local.invocation import Invocation
from local.outputs import sources
from local.provision import create_secrets
from local.template import Template
from pipeline.event.envelope import decode_envelope
from pipeline.runtime.secret_store import SecretStore
from settings.deployment import Deployment
from tests.functional.local.gateway.fakes import FakeKinesis
from tests.functional.local.gateway.support import Answer, Sender, run
from tests.infra.application.test_permissions import parameter
from tests.infra.policies import ROLE, granted
from tests.support.doors import ASKING, SHOWN, compile_doors, write_doors
from tests.support.fakes import FakeSsm, FakeStream
from tests.support.once import made_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_ssm import SSMClient

    from pipeline.event.compiled_source import Catalog
    from tests.infra.conftest import Synthesized

SECRET = "secret-of-all"
METHOD = "AWS::ApiGateway::Method"
SIGNS_ADDRESS = """\
authentication: {type: hmac, header: X-Sig, signed: "{method}{url}{query.kind}{body}"}
headers: {keep: [X-Sig]}
"""
SOURCES = SHOWN | {name: ASKING[name] for name in ("trello", "notion", "meta")}
SOURCES["addressed"] = SIGNS_ADDRESS
SOURCES["by-key"] = "authentication: {type: token, query: p}\nallowed_networks: [192.0.2.0/24]"
SOURCES["by-key-else"] = "authentication: {type: token, query: pAddress}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = json.dumps(SOURCES)
    return made_once(tmp_path_factory, "doors", key, lambda path: write_doors(path, SOURCES))


@pytest.fixture(scope="module")
def stack(synthesized: Callable[[Deployment], Synthesized], folder: Path) -> Synthesized:
    names = tuple(sorted(SOURCES))
    return synthesized(
        Deployment(stage="test", service="doors", sources=names, source_directory=folder)
    )


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return compile_doors(tmp_path_factory.mktemp("doors"), "infra_doors", sys.path, SOURCES)


class Deployed:
    """The stack, as senders find it."""

    def __init__(
        self, stack: Synthesized, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.template = Template.read(stack.template, stack_name="doors", region="us-west-2")
        self.address = self.template.outputs()["ApiUrl"]
        kinds = ("auth_token", "signing_secret")
        values = {f"/P/{name}/dev/{kind}": SECRET for name in SOURCES for kind in kinds}
        secrets = SecretStore(FakeSsm(values), "P", "dev")
        self.kinesis, self.stream = FakeKinesis(), FakeStream()
        self.receiver = Receiver(catalog, secrets, self.stream, "events", self.address)
        self.asked: list[str] = []
        monkeypatch.setattr(
            "ingest_lambdas.authorizer.authorizer", lambda: Authorizer(catalog, secrets)
        )

    async def invoke(self, function: str, event: Any) -> Invocation:
        self.asked.append(function)
        if "Authorizer" in function:
            return Invocation(handler(event, None))  # type: ignore[arg-type]
        return Invocation(self.receiver.receive(event)[1].response())

    def ask(self, *requests: tuple[str, str, dict[str, str]]) -> list[Answer]:
        """Send requests one after the other: method, path with query, headers."""

        async def scenario(sender: Sender) -> list[Answer]:
            return [
                await sender.send(path, b"{}", headers, name) for name, path, headers in requests
            ]

        return run(self.template, scenario, invoke=self.invoke, client=self.kinesis)


@pytest.fixture
def deployed(stack: Synthesized, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    return Deployed(stack, catalog, monkeypatch)


def post(path: str, **headers: str) -> tuple[str, str, dict[str, str]]:
    return "POST", path, {"Content-Type": "application/json", **headers}


def test_a_token_in_the_address_lets_in_and_goes_no_further(deployed: Deployed) -> None:
    answers = deployed.ask(
        post(f"/by-query?key={SECRET}"),
        post("/by-query?key=wrong"),
        post("/by-query"),
        post(f"/by-query?KEY={SECRET}"),
        post(f"/by-path/{SECRET}"),
        post("/by-path/wrong"),
        post("/by-path/*"),
        post("/by-path"),
    )
    statuses = [answer.status for answer in answers]
    assert statuses == [200, 403, 401, 401, 200, 403, 403, 404]
    assert len(deployed.kinesis.data) == 2
    assert SECRET.encode() not in b"".join(deployed.kinesis.data)


def test_decisions_are_kept_by_what_each_source_asks_for(stack: Synthesized) -> None:
    sources = {
        name: one["IdentitySource"]
        for name, one in stack.all("AWS::ApiGateway::Authorizer").items()
    }
    asked = {}
    for one in stack.all(METHOD).values():
        if (authorizer := one.get("AuthorizerId")) and one["HttpMethod"] == "POST":
            resource = json.dumps(one["ResourceId"])
            asked[resource] = sources[authorizer["Ref"]]
    (key,) = {one for name, one in asked.items() if "bykey" in name and "bykeyelse" not in name}
    (other,) = {one for name, one in asked.items() if "bykeyelse" in name}
    place, address = "method.request.querystring.", ",context.identity.sourceIp"
    assert key == f"{place}p{address},context.path"
    assert other == f"{place}pAddress,context.path"


def test_a_password_is_asked_for_and_taken(deployed: Deployed) -> None:
    right = f"Basic {base64.b64encode(SECRET.encode()).decode()}"
    asked, taken, wrong = deployed.ask(
        post("/by-password"),
        post("/by-password", Authorization=right),
        post("/by-password", Authorization=right[:-2]),
    )
    assert (asked.status, taken.status, wrong.status) == (401, 200, 403)
    assert asked.headers["WWW-Authenticate"].startswith("Basic ")
    assert b"Basic" not in b"".join(deployed.kinesis.data)


def test_a_network_is_asked_of_each_sender(deployed: Deployed) -> None:
    elsewhere, anyone = deployed.ask(post("/by-network"), post("/by-nothing"))
    assert (elsewhere.status, anyone.status) == (403, 200)


def test_a_direct_source_answers_head_and_says_its_own_word(deployed: Deployed) -> None:
    head, event, get = deployed.ask(
        ("HEAD", "/trello", {}), post("/trello", **{"X-Sig": "00"}), ("GET", "/trello", {})
    )
    assert (head.status, event.status, event.body, get.status) == (200, 202, b"taken", 404)
    assert event.headers["Content-Type"].startswith("text/plain")
    assert event.headers["X-Own"] == "fixed"
    assert len(deployed.kinesis.data) == 1
    assert not deployed.stream.records


def test_a_challenge_is_given_back_for_the_token_alone(deployed: Deployed) -> None:
    query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    right, wrong = deployed.ask(
        ("GET", f"/meta?{query}{SECRET}", {}), ("GET", f"/meta?{query}x", {})
    )
    assert (right.status, right.body, wrong.status) == (200, b"1158201444", 403)


def test_what_is_signed_of_the_address_is_the_stages_own(
    deployed: Deployed, catalog: Catalog
) -> None:
    """Whatever the Host header says."""
    (answer,) = deployed.ask(post("/addressed?kind=a%20b&other=c", Host="evil.example"))
    assert answer.status == 200
    (data,) = deployed.kinesis.data
    url = f"{deployed.address}/addressed"
    assert decode_envelope(data).headers == {
        ":method": "POST",
        ":query.kind": "a b",
        ":url": url,
    }


@pytest.mark.parametrize(
    ("method", "identity"),
    [
        ("byqueryPOST", "method.request.querystring.key,context.path"),
        ("bypathtokenPOST", "context.path"),
        ("bypasswordPOST", "method.request.header.Authorization,context.path"),
        ("bynetworkPOST", "context.identity.sourceIp,context.path"),
        ("bynothingPOST", "context.identity.sourceIp,context.path"),
    ],
)
def test_a_decision_is_kept_by_all_that_it_depends_on(
    stack: Synthesized, method: str, identity: str
) -> None:
    _, properties = stack.one(METHOD, f"Api{method}")
    authorizers = stack.all("AWS::ApiGateway::Authorizer")
    assert authorizers[properties["AuthorizerId"]["Ref"]]["IdentitySource"] == identity


def test_the_log_of_an_address_with_a_token_is_off(stack: Synthesized) -> None:
    _, stage = stack.one("AWS::ApiGateway::Stage")
    levels = {
        (one["ResourcePath"], one["HttpMethod"]): one["LoggingLevel"]
        for one in stage["MethodSettings"]
    }
    assert levels.pop(("/*", "*")) == "ERROR"
    paths = ("by-query", "by-path~1{token}", "by-key", "by-key-else", "meta")
    quiet = {(f"/~1{path}", "POST"): "OFF" for path in paths}
    assert levels == quiet | {("/~1meta", "GET"): "OFF"}
    # A trace has the address with its query.
    assert stage["TracingEnabled"] is False
    assert not stack.all("AWS::XRay::SamplingRule")
    written = stage["AccessLogSetting"]["Format"]
    for secret in ('$context.path"', "querystring", "$input", "requestOverride"):
        assert secret not in written
    (limits,) = {
        (one["ThrottlingRateLimit"], one["ThrottlingBurstLimit"]) for one in stage["MethodSettings"]
    }
    assert limits == (5_000, 2_500)


def test_the_receiver_may_write_what_it_learns_and_no_more(stack: Synthesized) -> None:
    _, role = stack.one(ROLE, "ReceiverRole")
    allowed = {each for each in granted(role) if each[0].startswith("ssm:")}
    assert allowed == {
        ("ssm:GetParameter", parameter("MozDef-EF/meta/test/auth_token")),
        ("ssm:GetParameter", parameter("MozDef-EF/meta/test/signing_secret")),
        ("ssm:GetParameter", parameter("MozDef-EF/notion/test/learn_until")),
        ("ssm:GetParameter", parameter("MozDef-EF/notion/test/signing_secret")),
        ("ssm:GetParameter", parameter("MozDef-EF/notion/test/signing_secret:*")),
        ("ssm:PutParameter", parameter("MozDef-EF/notion/test/signing_secret")),
    }


def test_what_has_no_secret_names_no_parameter(stack: Synthesized) -> None:
    parts = stack.document["Outputs"]["Sources"]["Value"]["Fn::Join"][1]
    described = json.loads("".join(one if isinstance(one, str) else "x" for one in parts))
    without = {name for name, one in described.items() if "parameter" not in one}
    assert without == {"by-network", "by-nothing"}
    assert described["by-path"]["route"] == "/by-path/{token}"


def test_a_laptop_has_a_secret_for_each_parameter(stack: Synthesized) -> None:
    template = Template.read(stack.template, stack_name="doors", region="us-west-2")
    made = create_secrets(sources(template), cast("SSMClient", FakeSsm()))
    assert list(made["meta"]) == ["signing_secret", "auth_token"]
    values = [value for values in made.values() for value in values.values()]
    assert len(set(values)) == len(values) == len(SOURCES) - len({"by-network", "by-nothing"}) + 1
    assert not made.keys() & {"by-network", "by-nothing"}


def test_a_token_in_the_path_is_no_reason_to_bind_its_sender(stack: Synthesized) -> None:
    """Anyone can send to a source without a proof, so sizes are bound, but not of other routes."""
    _, acl = stack.one("AWS::WAFv2::WebACL")
    written = json.dumps(acl)
    assert '"RegexString": "/by-path/[^/]+$"' in written
    assert '"SearchString": "/by-query"' in written
    assert '"SearchString": "/by-nothing"' not in written


def test_cdk_nag_found_nothing(stack: Synthesized) -> None:
    report = json.loads((stack.folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []
