"""`mozdef-ef config check --aws`: what an account lacks, and what it does not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from typer.testing import CliRunner

from loadtests.target import NoTargetError, find_target
from settings.delivery_pipeline import ARM_BUILD_IMAGE, BUILD_IMAGE
from settings.deployment import Deployment
from settings.source.loader import available_sources, read_source_settings
from tests.support.account import AnsweringAccount
from toolbox.cli import config as command
from toolbox.cli.main import app
from toolbox.deployments import RunningDeploymentError, find_deployment
from toolbox.preflight.capacity import concurrency, consumers
from toolbox.preflight.finding import Finding, Known
from toolbox.preflight.run import PreflightError, preflight
from toolbox.sessions import NoSessionError, aws_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.account import Answer

ACCOUNT, OTHER = "1" * 12, "2" * 12
CONNECTION = (
    "arn:aws:codeconnections:us-west-2:111111111111:connection/00000000-0000-4000-8000-000000000000"
)
STACK = "MozDef-EF-ingest-prod"
URL = f"https://sqs.us-west-2.amazonaws.com/{ACCOUNT}"
DELIVERY = {
    "account": ACCOUNT,
    "region": "us-west-2",
    "source": {
        "mode": "both",
        "framework": {
            "provider": "github",
            "repository": "example/code",
            "connection_arn": CONNECTION,
        },
        "configuration": {"provider": "codecommit", "repository": "settings"},
    },
    "stages": [{"name": "prod"}],
}
STAGE = {"service": "ingest", "sources": ["github", "slack"], "alarms": {"emails": ["a@b.example"]}}


def secrets(
    missing: Callable[[str], bool] = lambda _: False, kind: str = "SecureString"
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Answer as Systems Manager does; an empty list is left out, as its model wants."""

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        there = [one for one in asked["Names"] if not missing(one)]
        found = {
            "Parameters": [{"Name": one, "Type": kind} for one in there],
            "InvalidParameters": [one for one in asked["Names"] if one not in there],
        }
        return {key: value for key, value in found.items() if value}

    return answer


def quotas(small: float, medium: float, machines: str = "Linux") -> dict[str, Any]:
    return {
        "Quotas": [
            {
                "QuotaName": f"Concurrently running builds for {machines}/{size} environment",
                "Value": each,
            }
            for size, each in (("Small", small), ("Medium", medium))
        ]
    }


def images(*names: str) -> dict[str, Any]:
    found = [{"name": name, "versions": []} for name in names]
    return {
        "platforms": [{"platform": "UBUNTU", "languages": [{"language": "BASE", "images": found}]}]
    }


def resources(*queues: str) -> dict[str, Any]:
    made = [
        {
            "LogicalResourceId": name,
            "PhysicalResourceId": f"{URL}/{name}",
            "ResourceType": "AWS::SQS::Queue",
            "LastUpdatedTimestamp": 0,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for name in queues
    ]
    function = made[0] | {"PhysicalResourceId": "fan-out", "ResourceType": "AWS::Lambda::Function"}
    return {"StackResourceSummaries": [*made, function]}


EXECUTION_LOGS = "API-Gateway-Execution-Logs_a1/prod"


def with_api(*groups: str) -> dict[str, Any]:
    """Return a stack that has an API, and these log groups."""
    found = resources(*QUEUES)["StackResourceSummaries"]
    kinds = {"a1": "AWS::ApiGateway::RestApi", **dict.fromkeys(groups, "AWS::Logs::LogGroup")}
    more = [
        found[0] | {"PhysicalResourceId": name, "ResourceType": kind}
        for name, kind in kinds.items()
    ]
    return {"StackResourceSummaries": [*found, *more]}


def limit(most: int, unreserved: int | None = None) -> dict[str, Any]:
    left = most if unreserved is None else unreserved
    return {"AccountLimit": {"ConcurrentExecutions": most, "UnreservedConcurrentExecutions": left}}


def role(account: str) -> dict[str, Any]:
    principal = {"Statement": [{"Principal": {"AWS": account}}]}
    return {
        "Role": {
            "Path": "/",
            "RoleName": "r",
            "RoleId": "A" * 16,
            "Arn": "arn:aws:iam::1:role/r",
            "CreateDate": 0,
            "AssumeRolePolicyDocument": json.dumps(principal),
        }
    }


def subscriptions(arn: str, email: str = "a@b.example") -> dict[str, Any]:
    return {"Subscriptions": [{"Endpoint": email, "SubscriptionArn": arn, "Protocol": "email"}]}


QUEUES = [f"{STACK}-{name}{end}" for name in ("github", "slack") for end in ("", "-redrive")]
HEALTHY: dict[str, Answer] = {
    "sts.GetCallerIdentity": {"Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/x"},
    "service-quotas.ListServiceQuotas": quotas(1, 1),
    "codebuild.ListCuratedEnvironmentImages": images(BUILD_IMAGE),
    "codeconnections.GetConnection": {
        "Connection": {"ConnectionName": "mozdef-ef", "ConnectionStatus": "AVAILABLE"}
    },
    "codecommit.GetBranch": {"branch": {"branchName": "main"}},
    "secretsmanager.DescribeSecret": {"Name": "token"},
    "ssm.GetParameter": {"Parameter": {"Value": "30"}},
    "ssm.GetParameters": secrets(),
    "s3.HeadBucket": {},
    "iam.GetRole": role(ACCOUNT),
    "cloudformation.ListStackResources": resources(*QUEUES),
    "lambda.GetAccountSettings": limit(1_000),
    "lambda.GetFunctionConcurrency": {},
    "kinesis.DescribeLimits": {
        "ShardLimit": 500,
        "OpenShardCount": 0,
        "OnDemandStreamCount": 0,
        "OnDemandStreamCountLimit": 50,
    },
    "apigateway.GetAccount": {
        "cloudwatchRoleArn": "arn:aws:iam::1:role/logs",
        "throttleSettings": {"rateLimit": 10_000.0, "burstLimit": 5_000},
    },
    "xray.GetTraceSegmentDestination": {"Destination": "XRay", "Status": "ACTIVE"},
    "logs.DescribeResourcePolicies": {"resourcePolicies": []},
    "sqs.GetQueueUrl": "AWS.SimpleQueueService.NonExistentQueue",
    "sns.ListSubscriptionsByTopic": subscriptions("arn:aws:sns:us-west-2:1:t:1"),
}
ABSENT: dict[str, Answer] = {"cloudformation.ListStackResources": "Stack with id X does not exist"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def write(folder: Path, delivery: dict[str, Any] | None = None, **stage: Any) -> None:
    # JSON is YAML.
    (folder / "delivery.yaml").write_text(json.dumps(DELIVERY | (delivery or {})))
    (folder / "prod.yaml").write_text(json.dumps(STAGE | stage))


def asked(folder: Path, **answers: Answer) -> tuple[list[Finding], AnsweringAccount]:
    account = AnsweringAccount(HEALTHY | {key.replace("_", "."): a for key, a in answers.items()})
    return list(preflight(folder, (), None, account.client)), account


def run(folder: Path, account: AnsweringAccount, monkeypatch: pytest.MonkeyPatch) -> Any:
    class Session:
        region_name = None

        def client(self, service: str, region_name: str, config: object) -> Any:
            assert config
            return account.client(service, region_name)

    monkeypatch.setattr(command, "_session", Session)
    return CliRunner().invoke(app, ["config", "check", "--config", str(folder), "--aws"])


def test_an_account_that_has_all_of_it_is_well_and_is_only_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = AnsweringAccount(HEALTHY)
    result = run(folder, account, monkeypatch)
    assert result.exit_code == 0, result.output
    assert "0 later, 0 fault, 0 not known" in result.output
    verbs = {called.split(".")[1] for called in account.calls}
    assert all(verb.startswith(("Get", "List", "Describe", "Head")) for verb in verbs)


def test_before_the_first_deployment_what_it_brings_is_later_and_no_fault(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role_of_logs = {"apigateway.GetAccount": {"throttleSettings": HEALTHY_THROTTLE}}
    account = AnsweringAccount(
        HEALTHY
        | ABSENT
        | role_of_logs
        | {"ssm.GetParameters": secrets(lambda name: name.startswith("/MozDef-EF"))}
    )
    result = run(folder, account, monkeypatch)
    assert result.exit_code == 0, result.output
    assert "mozdef-ef secret set github" in result.output.replace("\n", " ")
    assert " 3 later" in result.output


HEALTHY_THROTTLE = {"rateLimit": 10_000.0, "burstLimit": 5_000}
FAULTS: dict[str, tuple[dict[str, Answer], dict[str, Any], str, str]] = {
    "no builds": (
        {"service-quotas.ListServiceQuotas": quotas(0, 1)},
        {},
        "builds at once",
        "0 on Linux/Small",
    ),
    "no large builds": (
        {"service-quotas.ListServiceQuotas": quotas(1, 0)},
        {},
        "builds at once",
        "0 on Linux/Medium",
    ),
    "old image": (
        {"codebuild.ListCuratedEnvironmentImages": images("aws/codebuild/standard:7.0-26.09.01")},
        {},
        "image of the builds",
        "does not list",
    ),
    "no builds on ARM": (
        {
            "service-quotas.ListServiceQuotas": quotas(0, 1, "ARM"),
            "codebuild.ListCuratedEnvironmentImages": images(ARM_BUILD_IMAGE),
        },
        {"delivery": {"builds_on": "arm64"}},
        "builds at once",
        "0 on ARM/Small",
    ),
    "no image of ARM": (
        {"service-quotas.ListServiceQuotas": quotas(1, 1, "ARM")},
        {"delivery": {"builds_on": "arm64"}},
        "image of the builds",
        "amazonlinux-aarch64",
    ),
    "pending connection": (
        {"codeconnections.GetConnection": {"Connection": {"ConnectionStatus": "PENDING"}}},
        {},
        "repository 1, example/code",
        "PENDING",
    ),
    "no connection": (
        {"codeconnections.GetConnection": "ResourceNotFoundException"},
        {},
        "repository 1, example/code",
        "there is no connection",
    ),
    "no branch": (
        {"codecommit.GetBranch": "BranchDoesNotExistException"},
        {},
        "repository 2, settings",
        "BranchDoesNotExist",
    ),
    "not bootstrapped": (
        {"ssm.GetParameter": "ParameterNotFound"},
        {},
        "cdk bootstrap",
        "not bootstrapped",
    ),
    "old bootstrap": (
        {"ssm.GetParameter": {"Parameter": {"Value": "5"}}},
        {},
        "cdk bootstrap",
        "5",
    ),
    "no bucket": ({"s3.HeadBucket": "404"}, {}, "cdk bootstrap", "no bucket cdk-hnb659fds-assets"),
    "few invocations": (
        {"lambda.GetAccountSettings": limit(10)},
        {"fan_out": {"parallelization_factor": 2}},
        "invocations at once",
        "0 left for authorizer, receiver",
    ),
    "reserved": (
        {"lambda.GetAccountSettings": limit(10)},
        {"receiver": {"reserved_concurrency": 1}},
        "invocations at once",
        "AWS keeps 10",
    ),
    "gateway throttle": (
        {
            "apigateway.GetAccount": {
                "cloudwatchRoleArn": "arn:aws:iam::1:role/logs",
                "throttleSettings": {"rateLimit": 1_250.0, "burstLimit": 600},
            }
        },
        {},
        "requests a second",
        "the account takes 1,250",
    ),
    "no role for logs": (
        {"apigateway.GetAccount": {"throttleSettings": HEALTHY_THROTTLE}},
        {},
        "API Gateway's role for logs",
        "none",
    ),
    "logs of API Gateway's own": (
        {
            "cloudformation.ListStackResources": with_api(),
            "logs.DescribeLogGroups": {"logGroups": [{"logGroupName": EXECUTION_LOGS}]},
        },
        {},
        "API Gateway's own logs",
        "is there, and not the stack's",
    ),
    "traces elsewhere": (
        {
            "xray.GetTraceSegmentDestination": {
                "Destination": "CloudWatchLogs",
                "Status": "ACTIVE",
            }
        },
        {},
        "traces",
        "may not",
    ),
    "queue in the way": (
        {
            "cloudformation.ListStackResources": resources(*QUEUES[2:]),
            "sqs.GetQueueUrl": lambda asked: {"QueueUrl": f"{URL}/{asked['QueueName']}"},
        },
        {},
        "names of queues",
        f"{STACK}-github, {STACK}-github-redrive",
    ),
    "no secret": (
        {"ssm.GetParameters": secrets(lambda name: "slack" in name)},
        {},
        "secrets",
        "/MozDef-EF/slack/prod/signing_secret is not there",
    ),
    "plain secret": (
        {"ssm.GetParameters": secrets(kind="String")},
        {},
        "secrets",
        "is a String, and no SecureString",
    ),
    "not there": (
        {"ssm.GetParameters": secrets(lambda name: name.endswith("/kinesis"))},
        {},
        "services of the region",
        "kinesis",
    ),
    "unconfirmed": (
        {"sns.ListSubscriptionsByTopic": subscriptions("PendingConfirmation")},
        {},
        "mails of alarms",
        "a@b.example has not confirmed",
    ),
    "nobody": (
        {"sns.ListSubscriptionsByTopic": subscriptions("arn:aws:sns:x", "c@d.example")},
        {},
        "mails of alarms",
        "a@b.example is not told",
    ),
    "streams": (
        ABSENT
        | {
            "kinesis.DescribeLimits": {
                "ShardLimit": 500,
                "OpenShardCount": 0,
                "OnDemandStreamCount": 50,
                "OnDemandStreamCountLimit": 50,
            }
        },
        {},
        "streams and shards",
        "50 of 50 streams on demand",
    ),
    "shards": (
        ABSENT | {"lambda.GetAccountSettings": limit(5_000)},
        {"stream": {"mode": "provisioned", "shards": 501}},
        "streams and shards",
        "it wants 501",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_an_account_lacks_is_a_fault_with_what_to_do(name: str, folder: Path) -> None:
    answers, stage, what, said = FAULTS[name]
    write(folder, **stage)
    account = AnsweringAccount(HEALTHY | answers)
    found = [
        one
        for one in preflight(folder, (), None, account.client)
        if one.known in {Known.FAULT, Known.UNKNOWN}
    ]
    # The region is asked for the pipeline and for the stage.
    assert {(one.what, one.known) for one in found} == {(what, Known.FAULT)}
    assert any(said in one.said for one in found)
    assert all(one.do for one in found)


def test_a_fault_goes_before_what_is_not_known(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: dict[str, Answer] = {"ssm.GetParameter": "AccessDenied", "s3.HeadBucket": "404"}
    account = AnsweringAccount(HEALTHY | answers | {"lambda.GetAccountSettings": limit(7)})
    result = run(folder, account, monkeypatch)
    assert result.exit_code == 1
    assert "1 fault, 2 not known" in result.output
    # Of settings that are wrong, no account is asked.
    write(folder, streem={})
    before = len(account.calls)
    assert run(folder, account, monkeypatch).exit_code == 1
    assert len(account.calls) == before


def test_what_is_denied_is_not_known_and_no_pass(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, {"stages": [{"name": "prod", "account": ACCOUNT}]})
    all_of_it, account = asked(folder)
    for called in sorted({*account.calls} - {"sts.GetCallerIdentity"}):
        account.answers = HEALTHY | {called: "AccessDeniedException"}
        found = list(preflight(folder, (), None, account.client))
        unknown = [one for one in found if one.known is not Known.GOOD]
        assert {one.known for one in unknown} == {Known.UNKNOWN}
        assert all(called.split(".")[1] in one.said for one in unknown)
        assert len(found) >= len(all_of_it) - 1, "the other questions are asked all the same"
    result = run(folder, account, monkeypatch)
    assert result.exit_code == 3, result.output
    assert "not known" in result.output


def test_another_accounts_stage_is_not_known_until_its_credentials_ask(folder: Path) -> None:
    write(folder, {"stages": [{"name": "prod", "account": OTHER}]})
    found, _ = asked(folder)
    (stage,) = [one for one in found if one.where.startswith(STACK)]
    assert (stage.known, stage.what) == (Known.UNKNOWN, "everything")
    assert OTHER in stage.do
    theirs = {"Arn": f"arn:aws:iam::{OTHER}:user/operator"}
    found, _ = asked(folder, sts_GetCallerIdentity=theirs)
    (pipeline,) = [one for one in found if one.known is Known.UNKNOWN]
    assert pipeline.where == f"MozDef-EF-delivery ({ACCOUNT}, us-west-2)"
    assert "trust in the pipeline" in {one.what for one in found}
    found, _ = asked(folder, sts_GetCallerIdentity=theirs, iam_GetRole=role(OTHER))
    (fault,) = [one for one in found if one.known is Known.FAULT]
    assert f"--trust {ACCOUNT}" in fault.do


def test_large_records_are_not_known_before_they_are_tried(folder: Path) -> None:
    write(folder, stream={"max_record_kib": 4_096})
    (unknown,) = [one for one in asked(folder)[0] if one.known is Known.UNKNOWN]
    assert unknown.what == "large records"


@pytest.mark.parametrize("groups", [(EXECUTION_LOGS,), ()])
def test_logs_of_api_gateway_in_the_stacks_own_group_are_well(
    groups: tuple[str, ...], folder: Path
) -> None:
    names = [*groups, f"{EXECUTION_LOGS}uction"]
    found, _ = asked(
        folder,
        cloudformation_ListStackResources=with_api(*groups),
        logs_DescribeLogGroups={"logGroups": [{"logGroupName": name} for name in names]},
    )
    (logs,) = [one for one in found if one.what == "API Gateway's own logs"]
    assert logs.known is Known.GOOD


def test_a_region_without_a_list_of_services_is_not_known(folder: Path) -> None:
    """No region lacks all of them: it is the list that is not there."""
    lists = secrets(lambda name: name.startswith("/aws/service/"))
    (unknown,) = [one for one in asked(folder, ssm_GetParameters=lists)[0] if one.do]
    assert (unknown.known, unknown.what) == (Known.UNKNOWN, "services of the region")


def test_a_stage_by_hand_needs_a_region_and_credentials(folder: Path) -> None:
    (folder / "delivery.yaml").unlink()
    account = AnsweringAccount(HEALTHY)
    with pytest.raises(PreflightError, match="--stage"):
        list(preflight(folder, (), "us-west-2", account.client))
    with pytest.raises(PreflightError, match="AWS_REGION"):
        list(preflight(folder, ("prod",), None, account.client))
    found = list(preflight(folder, ("prod",), "us-west-2", account.client))
    assert {one.known for one in found} == {Known.GOOD}
    account.answers["sts.GetCallerIdentity"] = "InvalidClientTokenId"
    with pytest.raises(PreflightError, match="credentials"):
        list(preflight(folder, ("prod",), "us-west-2", account.client))


def test_a_profile_that_is_not_there_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nosuch")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    result = CliRunner().invoke(app, ["config", "check", "--config", str(folder), "--aws"])
    assert isinstance(result.exception, NoSessionError)
    assert "nosuch" in str(result.exception)
    with pytest.raises(NoSessionError, match=r"nosuch.*AWS_PROFILE"):
        find_deployment(folder, "there")
    with pytest.raises(NoSessionError, match=r"nosuch.*AWS_PROFILE"):
        find_target(state=folder, stack="there", region="", role_arn="", private_sources=folder)


def test_a_command_works_on_the_region_that_the_pages_export(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 does not read AWS_REGION, which AWS's own command line does."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    (folder / "config").write_text("[default]\nregion = eu-central-1\n")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    assert aws_session().region_name == "eu-central-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert aws_session().region_name == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert aws_session().region_name == "us-west-2"
    assert aws_session("us-east-2").region_name == "us-east-2"
    asked: list[str] = []

    def client(session: boto3.Session, *_: object, **__: object) -> Any:
        asked.append(session.region_name)
        raise EndpointConnectionError(endpoint_url="https://there")

    monkeypatch.setattr(boto3.Session, "client", client)
    with pytest.raises(RunningDeploymentError):
        find_deployment(folder, "there")
    with pytest.raises(NoTargetError):
        find_target(state=folder, stack="there", region="", role_arn="", private_sources=folder)
    result = CliRunner().invoke(app, ["config", "check", "--config", str(folder), "--aws"])
    assert isinstance(result.exception, PreflightError)
    assert asked == ["us-west-2"] * 3


def test_the_defaults_live_with_the_ten_invocations_of_a_new_account() -> None:
    """Of eight that the consumers can take at most, the door has two, one for each of it."""
    known, said = of(10)
    assert known is Known.GOOD
    assert "fan-out up to 4" in said
    assert "2 left for authorizer, receiver" in said
    assert of(9)[0] is Known.FAULT
    assert of(10, fan_out={"parallelization_factor": 2})[0] is Known.FAULT
    few = {"mode": "provisioned", "shards": 1}
    assert of(10, stream=few)[0] is Known.GOOD
    assert of(10, stream={"mode": "provisioned", "shards": 5})[0] is Known.FAULT


@pytest.mark.parametrize(
    ("other", "known", "said"),
    [
        ({}, Known.FAULT, "stacks beside it up to 8; 0 left"),
        ({"account": OTHER}, Known.GOOD, "2 left"),
        ({"region": "eu-west-1"}, Known.GOOD, "2 left"),
    ],
)
def test_stacks_of_one_account_and_region_share_its_invocations(
    other: dict[str, Any], known: Known, said: str, folder: Path
) -> None:
    write(folder, {"stages": [{"name": "prod"}, {"name": "staging", **other}]})
    (folder / "staging.yaml").write_text(json.dumps(STAGE))
    found, _ = asked(folder, lambda_GetAccountSettings=limit(10))
    (one,) = [
        one for one in found if one.what == "invocations at once" and one.where.startswith(STACK)
    ]
    assert one.known is known
    assert said in one.said


@pytest.mark.parametrize(
    ("limit_of_account", "reserved", "known"),
    [
        (10, 1, Known.FAULT),
        (50, 1, Known.FAULT),
        (1_000, 900, Known.GOOD),
        (1_000, 901, Known.FAULT),
    ],
)
def test_what_aws_keeps_unreserved_cannot_be_reserved(
    limit_of_account: int, reserved: int, known: Known
) -> None:
    assert of(limit_of_account, receiver={"reserved_concurrency": reserved})[0] is known


def of(most: int, **stage: Any) -> tuple[Known, str]:
    settings = STAGE | {"stage": "prod"} | stage
    deployment = Deployment.model_validate(settings)
    found = available_sources(Path())
    sources = {name: read_source_settings(found[name]) for name in deployment.sources}
    known, said, do = concurrency(deployment, sources, most, most)
    assert bool(do) == (known is Known.FAULT)
    assert set(consumers(deployment)) == {"fan-out", "archiver"}
    return known, said
