"""A signature in Authorization: it is handed on, and what may be a secret there never is."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
import yaml
from aws_cdk import App, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis

from infra.application.mapping_templates import put_record_request
from infra.application.routes import Routes
from local.gateway.variables import InputObject, UtilObject
from local.vtl import VtlTemplate
from pipeline.event.envelope import decode_envelope
from pipeline.event.outcomes import Reason
from pipeline.receiving.request import Request, refuse_stranger
from settings.source.loader import load_source
from tests.support.schemes import fault
from tests.support.signing_senders import BODY, NOW, SENDERS
from toolbox.sources.rehearsal import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from infra.application.authorizer import AuthorizerFunction
    from local.gateway.exchange import Exchange
    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.envelope import Envelope
    from settings.source.loader import LoadedSource

TEAMS = SENDERS["ms-teams"]
SIGNATURE = TEAMS.sign(TEAMS.secret, BODY)["Authorization"]


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> LoadedSource:
    folder: Path = tmp_path_factory.mktemp("sources") / "teams"
    folder.mkdir()
    document = {
        "version": 1,
        "title": "Microsoft Teams",
        "authentication": {"type": "hmac", **TEAMS.authentication},
        "headers": {"keep": ["Authorization"]},
    }
    (folder / "source.yaml").write_text(yaml.safe_dump(document))
    return load_source(folder)


@pytest.fixture(scope="module")
def source(teams: LoadedSource) -> Iterator[CompiledSource]:
    with compiled({"teams": teams}) as catalog:
        yield catalog.sources["teams"]


def rendered(
    teams: LoadedSource, header: str, value: str, required: Sequence[str] = ()
) -> Envelope | None:
    """What the mapping template puts on the stream; None where it makes no call."""
    assert teams.settings.signing is not None
    template = put_record_request(
        source="teams",
        stream_name="events",
        keep=teams.settings.headers.keep,
        delivery_id=None,
        required=required,
        scheme=teams.settings.signing.scheme,
    )
    exchange = SimpleNamespace(query={}, headers={header: value})
    body = InputObject(cast("Exchange", exchange), base64.b64encode(BODY).decode())
    context = {
        "extendedRequestId": "id",
        "requestTimeEpoch": NOW * 1000,
        "identity": {"sourceIp": "192.0.2.7"},
        "responseOverride": {},
    }
    variables = {"input": body, "util": UtilObject(), "context": context}
    text = VtlTemplate(template, "test").render(variables)
    if "required header is missing" in text:
        return None
    data = base64.b64decode(json.loads(text)["Data"])
    secret = value.partition(" ")[2]
    assert value == SIGNATURE or not secret or secret.encode() not in data
    return decode_envelope(data)


@pytest.mark.parametrize("header", ["Authorization", "authorization", "AUTHORIZATION"])
@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (SIGNATURE, SIGNATURE),
        ("Bearer eyJhbGciOiJub25lIn0", ""),
        ("Basic dXNlcjpwYXNzd29yZA==", ""),
        (SIGNATURE.replace("HMAC", "hmac"), ""),
        (SIGNATURE.removeprefix("HMAC "), ""),
        ("HMAC", ""),
        ("", ""),
    ],
)
def test_of_authorization_the_signature_alone_is_kept(
    teams: LoadedSource, source: CompiledSource, header: str, value: str, kept: str
) -> None:
    headers = {"authorization": value}
    request = Request(source, "id", NOW * 1000, "192.0.2.7", headers, BODY)
    assert request.kept == {"authorization": kept}
    envelope = rendered(teams, header, value)
    assert envelope is not None
    assert envelope.headers == request.kept
    for given in (envelope.headers, request.kept):
        found = fault(source, TEAMS.secret, given, envelope.body, NOW * 1000)
        assert found is (None if kept else Reason.BAD_SIGNATURE)
    # Where the header is required, both ways in call it missing: then it is no signature's.
    assert (rendered(teams, header, value, ["Authorization"]) is None) == (kept == "")
    wanted = replace(source, required_headers=("Authorization",))
    refused = refuse_stranger(replace(request, source=wanted))
    assert (refused is not None) == (kept == "")
    assert refused is None or refused.status == 400


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln", ""),
        ("Basic dXNlcjpwYXNzd29yZA==", ""),
        ("EYJ", ""),
    ],
)
def test_of_authorization_a_token_with_the_body_s_hash_is_kept(
    tmp_path: Path, value: str, kept: str
) -> None:
    how = {"type": "jwt", "header": "Authorization", "algorithms": ["HS256"]}
    settings = {
        "version": 1,
        "title": "LiveKit",
        "authentication": {**how, "body_hash": {"claim": "sha256", "encoding": "base64"}},
        "headers": {"keep": ["Authorization"]},
    }
    (tmp_path / "livekit").mkdir()
    (tmp_path / "livekit" / "source.yaml").write_text(yaml.safe_dump(settings))
    loaded = load_source(tmp_path / "livekit")
    with compiled({"livekit": loaded}) as catalog:
        headers = {"authorization": value}
        source = catalog.sources["livekit"]
        request = Request(source, "id", NOW * 1000, "192.0.2.7", headers, BODY)
        envelope = rendered(loaded, "Authorization", value)
    assert envelope is not None
    assert envelope.headers == request.kept == {"authorization": kept}


def test_the_template_of_other_sources_says_nothing_of_schemes(
    sources: dict[str, LoadedSource],
) -> None:
    signing = {name: one.settings.signing for name, one in sources.items()}
    schemes = {name for name, one in signing.items() if one and one.scheme}
    assert schemes == {"microsoft-teams"}
    plain = put_record_request(source="s", stream_name="n", keep=["A"], delivery_id=None)
    assert "authorization" not in plain


def test_the_route_of_such_a_source_names_its_scheme(teams: LoadedSource) -> None:
    app = App()
    stack = Stack(app, "S")
    authorizer = cast("AuthorizerFunction", SimpleNamespace(for_source=lambda _: None))
    Routes(
        apigateway.RestApi(stack, "Api"),
        stream=kinesis.Stream(stack, "Stream"),
        role=iam.Role(stack, "Role", assumed_by=iam.AnyPrincipal()),
        authorizer=authorizer,
        receiver=None,
        largest_record=0,
        public_url="https://hooks.example.com",
    ).add(teams)
    document = app.synth().get_stack_by_name("S").template["Resources"]
    methods = [one for one in document.values() if one["Type"] == "AWS::ApiGateway::Method"]
    (method,) = [one["Properties"] for one in methods if one["Properties"]["HttpMethod"] == "POST"]
    text = json.dumps(method["Integration"]["RequestTemplates"])
    assert r"startsWith(\"HMAC \")" in text
