"""Who may do what in the delivery pipeline, and in a stage that it checks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from loadtests.deploy_check.delivery import check_calls
from loadtests.deploy_check.permissions import keep_calls, unexplained
from local.iam.calls import IamCall
from local.iam.review import review_all
from tests.infra.delivery_support import (
    CONNECTION,
    PIPELINE_ACCOUNT,
    PRODUCTION_ACCOUNT,
    STAGING_ACCOUNT,
    DeliveryAssembly,
    granted,
)
from tests.infra.policies import written
from tests.support.taken_out import not_missed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.mark.parametrize("check", ["SmokeTest", "LoadTest"])
def test_a_check_may_take_on_its_role_in_the_stage_and_no_more(
    delivery: DeliveryAssembly, check: str
) -> None:
    name, role = delivery.role(f"staging{check}Role")
    (inline,) = role["Policies"]
    suffix = check.removesuffix("Test").lower()
    target = f"arn:aws:iam::{STAGING_ACCOUNT}:role/MozDef-EF-ingest-staging-{suffix}"
    assert list(granted(inline["PolicyDocument"])) == [("sts:AssumeRole", target, {})]
    assert "ManagedPolicyArns" not in role
    services = set()
    for policy in delivery.all("AWS::IAM::Policy").values():
        if {"Ref": name} in policy["Roles"]:
            services |= {action.split(":")[0] for action, _, _ in granted(policy["PolicyDocument"])}
    assert services == {"logs", "codebuild", "s3", "kms"}, "logs, report, artifacts and their key"


def test_the_smoke_test_may_read_what_it_looks_at(delivery: DeliveryAssembly) -> None:
    role, allowed = target_role(delivery, "SmokeTestRole")
    builder = f"arn:aws:iam::{PIPELINE_ACCOUNT}:role/MozDef-EF-delivery-staging-smoke"
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"ArnEquals": {"aws:PrincipalArn": builder}}
    assert written(trust["Principal"]["AWS"]).endswith(f":iam::{PIPELINE_ACCOUNT}:root")
    assert {(action, kind(resource)) for action, resource in allowed} == {
        ("cloudformation:DescribeStacks", "the stack"),
        ("ssm:GetParameter", "alarms/auth_token"),
        ("ssm:GetParameter", "generic/auth_token"),
        ("ssm:GetParameter", "github/signing_secret"),
        ("kms:Decrypt", "a key of the account"),
        ("s3:ListBucket", "the archive"),
        ("s3:GetObject", "the archive/raw/*"),
        ("s3:GetObject", "the archive/ledger/*"),
        ("s3:GetObject", "the archive/aws/lambda/*"),
        ("dynamodb:GetItem", "the table"),
        *({("kms:Decrypt", "the stack's key")} & {(a, kind(r)) for a, r in allowed}),
    }


def test_the_load_test_may_read_the_secrets_alone(delivery: DeliveryAssembly) -> None:
    _, allowed = target_role(delivery, "LoadTestRole")
    assert {action for action, _ in allowed} == {
        "cloudformation:DescribeStacks",
        "ssm:GetParameter",
        "kms:Decrypt",
    }


def test_a_key_is_used_for_these_parameters_through_ssm_alone(delivery: DeliveryAssembly) -> None:
    for name in ("SmokeTestRole", "LoadTestRole"):
        role, _ = target_role(delivery, name)
        (conditions,) = [
            condition["StringEquals"]
            for action, resource, condition in granted(role["Policies"][0]["PolicyDocument"])
            if action == "kms:Decrypt" and kind(written(resource)) == "a key of the account"
        ]
        assert conditions["kms:ViaService"] == "ssm.us-west-2.amazonaws.com"
        names = [written(one) for one in conditions["kms:EncryptionContext:PARAMETER_ARN"]]
        assert len(names) == 3
        assert all(":parameter/MozDef-EF/" in one and "*" not in one for one in names)


def test_a_stage_that_is_not_checked_has_no_role_for_it(delivery: DeliveryAssembly) -> None:
    for stage in ("dev", "production"):
        (template,) = delivery.stage_templates(stage)
        roles = json.loads(template.read_text())["Resources"]
        assert not [name for name in roles if "TestRole" in name]


def target_role(
    made: DeliveryAssembly, containing: str
) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    (template,) = made.stage_templates("staging")
    resources = json.loads(template.read_text())["Resources"]
    (role,) = [one["Properties"] for name, one in resources.items() if containing in name]
    (policy,) = role["Policies"]
    return role, {
        (action, written(resource)) for action, resource, _ in granted(policy["PolicyDocument"])
    }


def kind(resource: str) -> str:
    if resource == "<AWS::StackId>":
        return "the stack"
    if ":parameter/MozDef-EF/" in resource:
        return resource.split(":parameter/MozDef-EF/")[1].replace("/staging/", "/")
    if resource.endswith(":key/*"):
        return "a key of the account"
    if resource.startswith("ArchiveBucket"):
        return "the archive" + (resource[resource.index("/") :] if "/" in resource else "")
    if resource.startswith("DeliveredTable"):
        return "the table"
    return "the stack's key" if "Key" in resource else resource


def test_no_policy_of_the_pipeline_allows_every_action(delivery: DeliveryAssembly) -> None:
    everything = []
    seen = 0
    for policy in policies(delivery):
        for action, resource, condition in granted(policy):
            seen += 1
            service, _, verb = action.partition(":")
            assert service != "*"
            assert verb != "*"
            if resource == "*":
                everything.append(action)
            if action == "sts:AssumeRole" and "*" in json.dumps(resource):
                assert "ForAnyValue:StringEquals" in condition
    assert seen > 50
    # What CDK Pipelines writes without a resource; `findings` of the room has the reasons.
    assert {action for action in everything if not action.startswith("kms:")} == {
        "cloudformation:DescribeStacks",
        "codebuild:BatchGetBuilds",
        "codebuild:StartBuild",
        "codebuild:StopBuild",
        "s3:ListBucket",
    }


def policies(made: DeliveryAssembly) -> Iterator[dict[str, Any]]:
    for policy in made.all("AWS::IAM::Policy").values():
        yield policy["PolicyDocument"]
    for role in made.all("AWS::IAM::Role").values():
        for policy in role.get("Policies", []):
            yield policy["PolicyDocument"]


@pytest.mark.parametrize("mode", ["connection", "both"])
def test_an_action_may_use_its_connection_by_the_name_that_the_connection_has(
    make_delivery: Callable[[str, bool], DeliveryAssembly], mode: str
) -> None:
    """IAM compares the service of an action with that of the resource, and one is a former name."""
    made = make_delivery(mode, False)
    found = {
        (action, resource)
        for policy in made.all("AWS::IAM::Policy").values()
        for action, resource, _ in granted(policy["PolicyDocument"])
        if "UseConnection" in action
    }
    assert ("codeconnections:UseConnection", CONNECTION) in found


def test_who_publishes_may_see_how_each_account_was_bootstrapped(
    delivery: DeliveryAssembly,
) -> None:
    """`cdk publish-assets` reads the version of the bootstrap stack by the role that deploys."""
    name, _ = delivery.role("AssetsFileRole")
    roles = {
        written(resource).rsplit("/", 1)[-1]
        for policy in delivery.all("AWS::IAM::Policy").values()
        if {"Ref": name} in policy["Roles"]
        for action, resource, _ in granted(policy["PolicyDocument"])
        if action == "sts:AssumeRole"
    }
    for account, region in (
        (STAGING_ACCOUNT, "us-west-2"),
        (PRODUCTION_ACCOUNT, "eu-west-1"),
    ):
        for role in ("deploy", "file-publishing"):
            assert f"cdk-hnb659fds-{role}-role-{account}-{region}" in roles


BY_COMMANDS = {"PipelineAssetsFileRole", "PipelineUpdatePipelineSelfMutationRole"}
"""What these builds call is known where their commands run: test_build_commands.py."""


@pytest.mark.parametrize(
    ("mode", "many", "account"),
    [("connection", False, PIPELINE_ACCOUNT), ("both", True, STAGING_ACCOUNT)],
)
def test_what_the_pipeline_and_its_checks_call_is_allowed_and_each_permission_is_needed(
    make_delivery: Callable[[str, bool], DeliveryAssembly],
    tmp_path: Path,
    mode: str,
    many: bool,
    account: str,
) -> None:
    made = make_delivery(mode, many)
    model, stage = made.iam_model("staging", account), made.deployed("staging", account)
    calls = []
    for check in ("Smoke", "Load"):
        command = made.commands(f"{check}Test")[-1].split()
        target = command[command.index("--role-arn") + 1]
        (builder,) = (arn for arn, name in model.names.items() if name == f"staging{check}TestRole")
        calls.append(IamCall.make(builder, "sts:AssumeRole", target))
        calls += check_calls(target, stage, smoke=check == "Smoke")
    (review,) = review_all([(model, calls)])
    assert review.denied() == []
    pipeline = {name for name in model.names.values() if name.startswith(("Pipeline", "staging"))}
    assert unexplained([review], {*pipeline, "SmokeTestRole", "LoadTestRole"} - BY_COMMANDS) == []
    taken_out, faults = not_missed(review)
    assert faults == []
    assert taken_out > 40
    if not many:
        keep_calls(tmp_path / "kept", model, calls)


def test_a_role_that_is_trusted_by_another_name_or_with_another_tag_is_not_taken_on(
    make_delivery: Callable[[str, bool], DeliveryAssembly],
) -> None:
    model = make_delivery("both", True).iam_model("staging", STAGING_ACCOUNT)
    name = {name: arn for arn, name in model.names.items()}
    target = name["SmokeTestRole"]
    (bootstrap,) = (arn for arn in model.tags if f"-file-publishing-role-{PIPELINE_ACCOUNT}" in arn)
    updates = name["PipelineUpdatePipelineSelfMutationRole"]
    calls = [
        IamCall.make(name["stagingLoadTestRole"], "sts:AssumeRole", target),
        IamCall.make(updates, "sts:AssumeRole", bootstrap),
        IamCall.make(updates, "sts:AssumeRole", bootstrap, {"sts:ExternalId": "one"}),
    ]
    untagged = replace(model, tags={}, standing=())
    told, without = review_all([(replace(model, standing=()), calls), (untagged, calls)])
    assert [verdict.allowed for verdict in told.verdicts] == [False, True, False]
    assert [verdict.allowed for verdict in without.verdicts] == [False] * 3
    assert "missing in the policies of stagingLoadTestRole" in told.denied()[0]
