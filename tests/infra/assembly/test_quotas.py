"""What AWS takes of a template: each limit is broken once, and real templates hold them all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.assembly.app import synthesize, template_path
from infra.assembly.quotas import LIMITS, NAMES, QuotaError, check, uses
from settings.deployment import Deployment
from settings.source.loader import load_sources
from settings.spreading import MOST_AUTHORIZERS, MOST_POLLED, MOST_SOURCES, fits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from settings.source.loader import LoadedSource
    from tests.infra.conftest import Synthesized

NAME = "MozDef-EF-ingest-prod"
ROLE = {"Ref": "Role"}
API = {"Ref": "Api"}
LONG = "x" * 40
SOURCE = """\
version: 1
title: A source with the longest of names
authentication: {{type: hmac, header: X-Signature}}
headers: {{keep: [X-Signature], require: [X-Signature]}}
ingest: {ingest}
queue: {{name: {queue}}}
"""
POLLED = """\
version: 1
title: A source with feeds
ingest: poll
poll:
  base_url: https://a.example/api
  credential: {{type: header}}
  feeds: {{{feeds}}}
"""
TOKEN = """\
version: 1
title: A source with a header of its own for its token
authentication: {{type: token, header: {header}}}
methods: {methods}
allowed_networks: {networks}
"""
FEED = "f{}: {{path: /{}, events: ., pagination: {{type: link}}}}"


def many(kind: str, count: int, **properties: Any) -> dict[str, Any]:
    return {f"R{number}": {"Type": kind, "Properties": properties} for number in range(count)}


def document(size: int) -> dict[str, Any]:
    return {"Statement": [{"Action": "a", "Resource": "r" * size}]}


BROKEN: dict[str, dict[str, Any]] = {
    "resources of a stack": many("AWS::SQS::QueuePolicy", 501),
    "bytes of a template": many("AWS::SQS::QueuePolicy", 10, Text="x" * 100_000),
    "bytes of a function's environment": many(
        "AWS::Lambda::Function", 1, Environment={"Variables": {"A": "x" * 4_096}}
    ),
    "bytes of a function's policy": many(
        "AWS::Lambda::Permission",
        60,
        FunctionName={"Fn::GetAtt": ["F", "Arn"]},
        SourceArn={"Fn::Join": ["", ["arn:aws:execute-api:", {"Ref": "AWS::Region"}, LONG * 5]]},
    ),
    "characters of a role's inline policies": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": document(1),
                "Policies": [{"PolicyDocument": document(6_000)}],
            },
        },
        **many("AWS::IAM::Policy", 1, Roles=[ROLE], PolicyDocument=document(5_000)),
    },
    "characters of a role's trust policy": many(
        "AWS::IAM::Role", 1, AssumeRolePolicyDocument=document(2_048)
    ),
    "characters of a composite alarm's rule": many(
        "AWS::CloudWatch::CompositeAlarm", 1, AlarmRule="ALARM(x) OR " * 900
    ),
    "widgets of a dashboard": many(
        "AWS::CloudWatch::Dashboard",
        1,
        DashboardBody=json.dumps({"widgets": [{"properties": {}}] * 501}),
    ),
    "metrics of a dashboard": many(
        "AWS::CloudWatch::Dashboard",
        1,
        DashboardBody=json.dumps({"widgets": [{"properties": {"metrics": [["n"]] * 2_501}}]}),
    ),
    "resources of an API": many("AWS::ApiGateway::Resource", 301, RestApiId=API),
    "authorizers of an API": many("AWS::ApiGateway::Authorizer", 11, RestApiId=API),
    "rules of an event bus": many("AWS::Events::Rule", 301),
    "bytes of a bucket's policy": many("AWS::S3::BucketPolicy", 1, PolicyDocument=document(20_480)),
}


def _named(kind: str, key: str, length: int) -> dict[str, Any]:
    first, _, second = key.partition(".")
    name = "n" * length
    others: dict[str, Any] = {
        "AWS::CloudWatch::CompositeAlarm": {"AlarmRule": ""},
        "AWS::CloudWatch::Dashboard": {"DashboardBody": '{"widgets": []}'},
        "AWS::IAM::Role": {"AssumeRolePolicyDocument": {}},
    }
    named = {first: {second: name} if second else name}
    return many(kind, 1, **named, **others.get(kind, {}))


BROKEN |= {
    f"characters of {of}'s name": _named(kind, key, most + 1)
    for kind, (key, of, most) in NAMES.items()
}


@pytest.mark.parametrize("limit", BROKEN)
def test_what_is_too_much_is_named(limit: str) -> None:
    template = {"Resources": BROKEN[limit]}
    (broken,) = {one.limit for one in uses(template, NAME) if not one.fits}
    assert broken == limit
    with pytest.raises(QuotaError, match=rf"{NAME}: .*{limit}; AWS takes {LIMITS[limit]:,}"):
        check(template, NAME)


def test_every_limit_is_looked_at() -> None:
    assert {"outputs of a stack"} | BROKEN.keys() == LIMITS.keys()
    outputs: dict[str, Any] = {"Outputs": {f"O{number}": {} for number in range(201)}}
    with pytest.raises(QuotaError, match="201 outputs of a stack"):
        check(outputs, NAME)


def test_a_name_that_cloudformation_makes_counts_as_long_as_it_can_be() -> None:
    """The other side: an ARN as AWS writes it, of a role in the longest partition and region."""
    arn = f"arn:aws-us-gov:iam::123456789012:role/{NAME}-FanOutRoleA61BB6BE-1A2B3C4D5E6F7"
    resource = {"Fn::GetAtt": ["FanOutRoleA61BB6BE", "Arn"]}
    template = {
        "Resources": many("AWS::Lambda::Function", 1, Environment={"Variables": {"ROLE": resource}})
    }
    (environment,) = [one for one in uses(template, NAME) if "environment" in one.limit]
    assert environment.used >= len("ROLE") + len(arn)


def test_a_service_as_large_as_may_be_fits(
    layer: Path, tmp_path: Path, synthesized: Callable[[Deployment], Synthesized]
) -> None:
    """Of both ways in, with the longest names, in as many queues as there can be."""
    names = [f"{number:03d}-{LONG}"[:40] for number in range(MOST_SOURCES)]
    for number, name in enumerate(names):
        (tmp_path / "sources" / f"v{name}"[:40]).mkdir(parents=True)
        ingest = ("direct", "receiver")[number % 2]
        text = SOURCE.format(ingest=ingest, queue=f"q-{number % 15:02d}-{LONG}"[:40])
        (tmp_path / "sources" / f"v{name}"[:40] / "source.yaml").write_text(text)
    listed = tuple(sorted(path.name for path in (tmp_path / "sources").iterdir()))
    deployment = Deployment(
        stage="production",
        service="ingest",
        sources=listed,
        source_directory=tmp_path / "sources",
    )
    sources = load_sources(listed, tmp_path / "sources")
    assert fits(deployment.stack_name, {name: source.settings for name, source in sources.items()})
    # What an earlier run of another stack has left is not looked at.
    (tmp_path / "out").mkdir()
    left = {"Resources": BROKEN["resources of a stack"]}
    (tmp_path / "out" / "MozDef-EF-old-dev.template.json").write_text(json.dumps(left))
    synthesize(deployment, sources, tmp_path / "out", layer=layer)
    template = json.loads(template_path(deployment, tmp_path / "out").read_text())
    assert all(one.fits for one in uses(template, deployment.stack_name))


def test_a_service_with_as_many_feeds_and_authorizers_as_may_be_fits(
    layer: Path, tmp_path: Path
) -> None:
    """A feed is a rule and two alarms. With all that a stage can have beside them."""
    names = [f"v{number:02d}" for number in range(MOST_SOURCES)]

    def made(folder: Path, feeds: int) -> dict[str, LoadedSource]:
        for number, name in enumerate(names):
            ways = number % MOST_AUTHORIZERS
            text = TOKEN.format(
                header=f"X-{ways // 3}-Token",
                methods=("[POST]", "[POST, PUT]")[ways % 3 == 1],
                networks=("[]", "[192.0.2.0/24]")[ways % 3 == 2],
            )
            if number < MOST_POLLED:
                listed = ", ".join(FEED.format(one, one) for one in range(feeds))
                text = POLLED.format(feeds=listed)
            (folder / name).mkdir(parents=True)
            (folder / name / "source.yaml").write_text(text)
        return load_sources(names, folder)

    deployment = Deployment.model_validate(
        {
            "stage": "production",
            "service": "ingest",
            "sources": names,
            "source_directory": tmp_path,
            "alarms": {"silence_hours": dict.fromkeys(names, 24), "emails": ["a@b.example"]},
            "web_acl": True,
            "domain": {"name": "a.example", "certificate_arn": "arn:aws:acm:us-west-2:1:c/1"},
        }
    )
    loaded = {feeds: made(tmp_path / f"with-{feeds}", feeds) for feeds in range(1, 5)}
    most = max(
        feeds
        for feeds, sources in loaded.items()
        if fits(deployment.stack_name, {name: one.settings for name, one in sources.items()})
    )
    written = synthesize(deployment, loaded[most], tmp_path / "out", layer=layer)
    template = json.loads(written.read_text())
    used = uses(template, deployment.stack_name)
    assert all(one.fits for one in used)
    assert most > 1
    assert MOST_AUTHORIZERS in {one.used for one in used if one.limit == "authorizers of an API"}
