"""One stack for several sources, or one for each: names, and how many sources one stack holds."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from settings.deployment import Deployment
from tests.infra.policies import ROLE, statements, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.infra.conftest import Synthesized

    Make = Callable[[Deployment], Synthesized]

RESOURCES_OF_A_TEMPLATE = 500
BYTES_OF_A_TEMPLATE = 1_000_000
RESOURCES_OF_AN_API = 300
AUTHORIZERS_OF_AN_API = 10
CHARACTERS_OF_A_ROLES_POLICIES = 10_240
"""The quotas of CloudFormation, API Gateway and IAM."""
SOURCE = """\
version: 1
title: One of many
authentication: {type: token}
content_types: [application/json]
event_type: {path: type}
queue: {name: many}
"""
NAMES = {
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::CloudWatch::CompositeAlarm": ("AlarmName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::Athena::WorkGroup": ("Name",),
    "AWS::DynamoDB::Table": ("TableName",),
    "AWS::Events::Rule": ("Name",),
    "AWS::IAM::Role": ("RoleName",),
    "AWS::KMS::Alias": ("AliasName",),
    "AWS::Kinesis::Stream": ("Name",),
    "AWS::Lambda::Function": ("FunctionName",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::Logs::QueryDefinition": ("Name",),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::SNS::Topic": ("TopicName",),
    "AWS::SQS::Queue": ("QueueName",),
    "AWS::StepFunctions::StateMachine": ("StateMachineName",),
    "AWS::WAFv2::WebACL": ("Name",),
}
"""What has to differ in an account and region. Without a name, CloudFormation makes one of the
stack's name and chance."""


def physical_names(stack: Synthesized) -> Iterator[tuple[str, str]]:
    for resource in stack.document["Resources"].values():
        properties = resource.get("Properties", {})
        for key in NAMES.get(resource["Type"], ()):
            # A name with the id of another resource in it is nobody else's.
            if key in properties and not re.search("<(?!AWS::)", written(properties[key])):
                yield resource["Type"], written(properties[key])
        if resource["Type"] == "AWS::XRay::SamplingRule":
            yield resource["Type"], written(properties["SamplingRule"]["RuleName"])
        if resource["Type"] == "AWS::Glue::Database":
            yield resource["Type"], written(properties["DatabaseInput"]["Name"])


@pytest.fixture(scope="module")
def make(synthesized: Make) -> Callable[..., Synthesized]:
    def one(service: str, *sources: str, **more: Any) -> Synthesized:
        return synthesized(Deployment(stage="prod", service=service, sources=sources, **more))

    return one


def test_stacks_of_one_project_and_stage_share_no_name(make: Callable[..., Synthesized]) -> None:
    chat, code = make("chat", "slack", web_acl=True), make("code", "slack", web_acl=True)
    names, others = set(physical_names(chat)), set(physical_names(code))
    assert len(names) > 15
    assert {kind for kind, _ in names} >= {"AWS::SQS::Queue", "AWS::CloudWatch::Alarm"}
    assert not names & others
    assert all("chat" in name for _, name in names), [n for _, n in names if "chat" not in n]


def test_the_same_source_has_one_secret_in_all_stacks_of_a_stage(
    make: Callable[..., Synthesized],
) -> None:
    """A sender has one secret for one place; stacks that both take its events share it."""
    for service in ("chat", "code"):
        text = json.dumps(make(service, "slack", web_acl=True).document)
        assert "/MozDef-EF/slack/prod/signing_secret" in text


def test_fifty_sources_fit_one_stack(
    make: Callable[..., Synthesized], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, names = tmp_path_factory.mktemp("many"), [f"source-{n:02}" for n in range(50)]
    for name in names:
        (folder / name).mkdir()
        (folder / name / "source.yaml").write_text(SOURCE)
    stack = make("many", *names, source_directory=folder)
    assert len(stack.document["Resources"]) <= RESOURCES_OF_A_TEMPLATE
    assert stack.template.stat().st_size <= BYTES_OF_A_TEMPLATE
    assert 50 <= len(stack.all("AWS::ApiGateway::Resource")) <= RESOURCES_OF_AN_API
    assert len(stack.all("AWS::ApiGateway::Authorizer")) <= AUTHORIZERS_OF_AN_API
    assert len(stack.all("AWS::SQS::Queue")) == 3, "tickets, and one delivery queue with redrive"
    for name, role in stack.all(ROLE).items():
        assert characters(role) <= CHARACTERS_OF_A_ROLES_POLICIES, name


def test_headers_that_differ_by_a_hyphen_have_authorizers_of_their_own(
    make: Callable[..., Synthesized], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("hyphens")
    for name, header in (("one", "X-1-2"), ("two", "X-12"), ("three", "x-12")):
        (folder / name).mkdir()
        (folder / name / "source.yaml").write_text(
            SOURCE.replace("type: token", f"type: token, header: {header}")
        )
    stack = make("hyphens", "one", "two", "three", source_directory=folder)
    identities = {
        one["IdentitySource"].partition(",")[0].lower()
        for one in stack.all("AWS::ApiGateway::Authorizer").values()
    }
    assert identities == {"method.request.header.x-1-2", "method.request.header.x-12"}


def characters(role: dict[str, Any]) -> int:
    """Return about the size of a role's policies; IAM does not count white space."""
    return sum(
        len(json.dumps({**statement, "Resource": [written(one) for one in statement["Resource"]]}))
        for policy in role.get("Policies", [])
        for statement in statements(policy["PolicyDocument"])
    )
