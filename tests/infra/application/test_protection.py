"""What guards a stack: its key, its limits, its web ACL, its domain, its retention."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.application.encryption import THROUGH
from local.dataplane import data_plane
from local.template import Template
from settings.deployment import Deployment, DeploymentError, load_deployment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.conftest import Synthesized

SETTINGS = """\
service: ingest
sources: [github, zoom, okta-system-log]
pollers: {okta-system-log: {variables: {domain: example.okta.com}}}
"""
GUARDED = """\
web_acl: true
log_retention_days: 90
throttle: {rate: 900, burst: 800, by_source: {github: {rate: 100, burst: 50}}}
domain:
  name: hooks.example.com
  certificate_arn: arn:aws:acm:us-west-2:111111111111:certificate/1
  truststore: s3://authorities/senders/all.pem
  truststore_version: v7
"""
HOLDS_DATA = {
    "AWS::DynamoDB::Table",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
}

Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def make(
    tmp_path_factory: pytest.TempPathFactory,
    synthesized: Callable[[Deployment], Synthesized],
) -> Callable[[str], dict[str, Any]]:
    """Synthesize a stage with further settings, each of them once."""

    @cache  # the folder of the settings is one of them, so two folders would be two stages
    def run(more: str) -> dict[str, Any]:
        file = tmp_path_factory.mktemp("protection") / "prod.yaml"
        file.write_text(SETTINGS + more)
        return synthesized(load_deployment(file)).document

    return run


def of(template: dict[str, Any], *types: str) -> Resources:
    return {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] in types
    }


@pytest.fixture
def plain(make: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    return make("")


@pytest.fixture
def guarded(make: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    return make(GUARDED)


def key_of(template: dict[str, Any]) -> str:
    (name,) = (name for name in of(template, "AWS::KMS::Key") if name.startswith("Encryption"))
    return name


def test_everything_that_holds_data_uses_the_stacks_key(plain: dict[str, Any]) -> None:
    key = key_of(plain)
    arn = {"Fn::GetAtt": [key, "Arn"]}
    found = of(plain, *HOLDS_DATA)
    assert {resource["Type"] for resource in found.values()} == HOLDS_DATA
    for name, resource in found.items():
        properties = resource["Properties"]
        match resource["Type"]:
            case "AWS::DynamoDB::Table":
                used = properties["SSESpecification"]["KMSMasterKeyId"]
            case "AWS::Kinesis::Stream":
                used = properties["StreamEncryption"]["KeyId"]
            case "AWS::Logs::LogGroup":
                used = properties["KmsKeyId"]
            case "AWS::SQS::Queue":
                used = properties["KmsMasterKeyId"]
                assert properties["KmsDataKeyReusePeriodSeconds"] == 3_600
            case _:
                (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
                assert rule["BucketKeyEnabled"] is True
                used = rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]
        assert used == arn, name
    assert plain["Outputs"]["KeyArn"]["Value"] == arn


def test_the_key_rotates_and_stays(plain: dict[str, Any]) -> None:
    resource = plain["Resources"][key_of(plain)]
    assert resource["Properties"]["EnableKeyRotation"] is True
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    (alias,) = of(plain, "AWS::KMS::Alias").values()
    assert alias["Properties"]["AliasName"] == "alias/MozDef-EF-ingest-prod"


def test_who_may_use_the_key(plain: dict[str, Any]) -> None:
    policy = plain["Resources"][key_of(plain)]["Properties"]["KeyPolicy"]
    statements = {one.get("Sid", "owner"): one for one in policy["Statement"]}
    assert set(statements) == {
        "owner",
        "ThroughServicesOfThisAccount",
        "NotificationsOfThisAccount",
        "TicketsOfThisAccount",
        "LogGroupsOfThisAccount",
    }
    through = statements["ThroughServicesOfThisAccount"]["Condition"]["StringEquals"]
    assert through["kms:CallerAccount"] == {"Ref": "AWS::AccountId"}
    services = json.dumps(through["kms:ViaService"])
    assert all(f'"{service}.' in services for service in THROUGH)
    for name, statement in statements.items():
        if name != "owner":
            assert statement["Condition"], name
            assert not any("*" in action for action in statement["Action"]), name
    assert len(json.dumps(policy)) < 32_768, "the most that KMS takes"


def test_the_keys_of_aws_can_be_chosen(make: Callable[[str], dict[str, Any]]) -> None:
    template = make("encryption: aws_managed\n")
    assert not [name for name in of(template, "AWS::KMS::Key") if name.startswith("Encryption")]
    assert "KeyArn" not in template["Outputs"]
    for queue in of(template, "AWS::SQS::Queue").values():
        assert queue["Properties"]["SqsManagedSseEnabled"] is True


def test_what_holds_data_outlives_the_stack(plain: dict[str, Any]) -> None:
    for name, resource in of(plain, *HOLDS_DATA).items():
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate", name
        assert resource["UpdateReplacePolicy"] == "Retain", name


def test_the_archive_is_closed_to_the_public_and_to_plain_http(plain: dict[str, Any]) -> None:
    (bucket,) = of(plain, "AWS::S3::Bucket").values()
    block = bucket["Properties"]["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    assert len(block) == 4
    policies = of(plain, "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy").values()
    queues = of(plain, "AWS::SQS::Queue")
    refusing = [
        statement
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"].get("Bool", {}).get("aws:SecureTransport") == "false"
    ]
    assert len(refusing) == len(queues) + 1


def test_limits_of_the_stage_and_of_a_source(guarded: dict[str, Any]) -> None:
    (stage,) = of(guarded, "AWS::ApiGateway::Stage").values()
    limits = {
        (one["ResourcePath"], one["HttpMethod"]): (
            one.get("ThrottlingRateLimit"),
            one.get("ThrottlingBurstLimit"),
        )
        for one in stage["Properties"]["MethodSettings"]
    }
    assert limits[("/*", "*")] == (900, 800)
    assert limits[("/~1github", "POST")] == (100, 50)
    assert len(limits) == 2


def test_one_request_a_second_is_traced_and_no_share_of_the_rest(plain: dict[str, Any]) -> None:
    (resource,) = of(plain, "AWS::XRay::SamplingRule").values()
    rule = resource["Properties"]["SamplingRule"]
    assert (rule["ReservoirSize"], rule["FixedRate"]) == (1, 0)
    assert rule["Priority"] < 10_000, "before the default rule"
    assert len(rule["RuleName"]) <= 32
    (stage,) = of(plain, "AWS::ApiGateway::Stage")
    assert stage in json.dumps(rule["ResourceARN"])


def test_the_web_acl_looks_at_addresses_sizes_and_ids_alone(guarded: dict[str, Any]) -> None:
    (acl,) = of(guarded, "AWS::WAFv2::WebACL").values()
    properties = acl["Properties"]
    assert properties["DefaultAction"] == {"Allow": {}}
    rate, *_, reputation = (rule["Statement"] for rule in properties["Rules"])
    assert rate["RateBasedStatement"] == {"AggregateKeyType": "IP", "Limit": 100_000}
    name = reputation["ManagedRuleGroupStatement"]["Name"]
    assert name == "AWSManagedRulesAmazonIpReputationList"
    assert [rule["Priority"] for rule in properties["Rules"]] == [0, 1, 2, 3, 4, 5, 6]
    assert "OverrideAction" in properties["Rules"][-1]
    sampled = [properties["VisibilityConfig"]]
    sampled += [rule["VisibilityConfig"] for rule in properties["Rules"]]
    assert not any(one["SampledRequestsEnabled"] for one in sampled)
    (association,) = of(guarded, "AWS::WAFv2::WebACLAssociation").values()
    (stage,) = of(guarded, "AWS::ApiGateway::Stage")
    assert stage in json.dumps(association["Properties"]["ResourceArn"])


def test_the_web_acl_stands_where_anyone_can_put_unverified_requests_on_the_stream(
    make: Callable[[str], dict[str, Any]], synthesized: Callable[[Deployment], Synthesized]
) -> None:
    def stands(*sources: str, **more: Any) -> bool:
        deployment = Deployment(stage="test", service="a", sources=sources, **more)
        return bool(of(synthesized(deployment).document, "AWS::WAFv2::WebACL"))

    assert of(make(""), "AWS::WAFv2::WebACL")
    assert not of(make("web_acl: false\n"), "AWS::WAFv2::WebACL")
    # A token is judged by the authorizer, and what comes to the receiver by the receiver.
    assert not stands("generic", "zoom")
    assert stands("generic", "zoom", web_acl=True)


def test_a_domain_closes_the_other_address(guarded: dict[str, Any], plain: dict[str, Any]) -> None:
    (api,) = of(guarded, "AWS::ApiGateway::RestApi").values()
    assert api["Properties"]["DisableExecuteApiEndpoint"] is True
    (domain,) = of(guarded, "AWS::ApiGateway::DomainName").values()
    assert domain["Properties"]["SecurityPolicy"] == "TLS_1_2"
    assert domain["Properties"]["MutualTlsAuthentication"] == {
        "TruststoreUri": "s3://authorities/senders/all.pem",
        "TruststoreVersion": "v7",
    }
    assert guarded["Outputs"]["ApiUrl"]["Value"] == "https://hooks.example.com"
    assert "DomainTarget" in guarded["Outputs"]
    (other,) = of(plain, "AWS::ApiGateway::RestApi").values()
    assert "DisableExecuteApiEndpoint" not in other["Properties"]


def test_retention_of_logs(guarded: dict[str, Any], plain: dict[str, Any]) -> None:
    for template, days in ((guarded, 90), (plain, 30)):
        kept = [
            group["Properties"]["RetentionInDays"]
            for group in of(template, "AWS::Logs::LogGroup").values()
        ]
        assert set(kept) == {days}


def test_the_access_log_holds_nothing_of_an_event(plain: dict[str, Any]) -> None:
    (stage,) = of(plain, "AWS::ApiGateway::Stage").values()
    written = stage["Properties"]["AccessLogSetting"]["Format"]
    values = json.loads(written).values()
    assert all(value.startswith("$context.") for value in values)
    assert not any(word in written for word in ("header", "query", "body", "authorizer.principal"))


def test_the_local_data_plane_needs_no_key(plain: dict[str, Any]) -> None:
    local = data_plane(Template(plain, "MozDef-EF-ingest-prod", "us-west-2"))
    types = {resource["Type"] for resource in local["Resources"].values()}
    assert "AWS::KMS::Key" not in types
    assert key_of(plain) not in json.dumps(local)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("encryption: none\n", "encryption: .*'customer_managed' or 'aws_managed'"),
        ("log_retention_days: 31\n", "log_retention_days"),
        (
            "throttle: {by_source: {slack: {rate: 1, burst: 1}}}\n",
            "throttle.by_source.slack: list",
        ),
        ("throttle: {by_source: {github: {rate: 0, burst: 1}}}\n", "by_source.github.rate"),
        ("domain: {name: 'https://x.example.com', certificate_arn: a}\n", "domain.name"),
        ("domain: {name: x.example.com, certificate_arn: a}\n", "certificate_arn: .*ACM"),
        ("domain: {name: x.example.com, truststore: 'https://b/k'}\n", "domain.truststore"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, more: str, message: str) -> None:
    (tmp_path / "prod.yaml").write_text(SETTINGS + more)
    with pytest.raises(DeploymentError, match=message):
        load_deployment(tmp_path / "prod.yaml")


def test_a_source_with_a_throttle_of_its_own_is_seen_as_well_as_the_others(
    make: Callable[[str], dict[str, Any]],
) -> None:
    """The settings of a method replace the stage's: what is left out of them is off."""
    (stage,) = of(make(GUARDED), "AWS::ApiGateway::Stage").values()
    settings = {one["ResourcePath"]: one for one in stage["Properties"]["MethodSettings"]}
    assert len(settings) == 2
    for one in settings.values():
        assert (one["MetricsEnabled"], one["LoggingLevel"]) == (True, "ERROR")
        assert one["DataTraceEnabled"] is False
