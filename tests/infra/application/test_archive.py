"""The archive's bucket: who sees it, how long it keeps what, and what makes a ticket."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tests.infra.policies import ROLE, as_list, granted, statements, written

if TYPE_CHECKING:
    from tests.infra.conftest import Synthesized

TICKETS_LIVE_DAYS = 14


def rules(stack: Synthesized) -> dict[str, dict[str, Any]]:
    """Return each lifecycle rule by its prefix; that of the whole bucket by an empty one."""
    _, bucket = stack.one("AWS::S3::Bucket")
    found = bucket["LifecycleConfiguration"]["Rules"]
    assert {rule["Status"] for rule in found} == {"Enabled"}
    by_prefix = {rule.get("Prefix", ""): rule for rule in found}
    assert len(by_prefix) == len(found)
    return by_prefix


def expiry(stack: Synthesized) -> dict[str, int]:
    """Return after how many days what is under a prefix goes."""
    return {
        prefix: rule["ExpirationInDays"]
        for prefix, rule in rules(stack).items()
        if "ExpirationInDays" in rule
    }


def test_archive_is_private_versioned_and_encrypted(stack: Synthesized) -> None:
    _, bucket = stack.one("AWS::S3::Bucket")
    block = bucket["PublicAccessBlockConfiguration"]
    assert len(block) == 4
    assert set(block.values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert bucket["BucketEncryption"]


def test_archive_keeps_each_prefix_for_its_time(stack: Synthesized) -> None:
    assert expiry(stack) == {
        "raw/": 400,
        "ledger/": 400,
        "jobs/": 400,
        "rejected/": 400,
        "aws/lambda/": 400,
        "quarantine/": 30,
        "athena-results/": 7,
    }


def test_a_ticket_never_outlives_its_object(stack: Synthesized) -> None:
    ticketed = set(notified(stack))
    assert all(expiry(stack)[prefix] > TICKETS_LIVE_DAYS for prefix in ticketed)
    _, queue = stack.one("AWS::SQS::Queue", "DeadLetters")
    assert queue["MessageRetentionPeriod"] == TICKETS_LIVE_DAYS * 86_400


def test_raw_alone_moves_to_storage_that_is_read_without_restoring(stack: Synthesized) -> None:
    moving = {prefix: rule for prefix, rule in rules(stack).items() if "Transitions" in rule}
    assert set(moving) == {"raw/"}
    assert moving["raw/"]["Transitions"] == [{"StorageClass": "GLACIER_IR", "TransitionInDays": 90}]
    # It bills ninety days and 128 KB for each object at the least.
    assert expiry(stack)["raw/"] >= 90 + 90
    _, bucket = stack.one("AWS::S3::Bucket")
    minimum = bucket["LifecycleConfiguration"]["TransitionDefaultMinimumObjectSize"]
    assert minimum == "all_storage_classes_128K"


def test_versions_and_unfinished_uploads_do_not_pile_up(stack: Synthesized) -> None:
    found = rules(stack)
    assert found[""]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert found[""]["ExpiredObjectDeleteMarker"] is True
    assert found[""]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    for prefix in ("quarantine/", "athena-results/"):
        assert found[prefix]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}


def notified(stack: Synthesized) -> dict[str, Any]:
    """Return the topic that is told of new objects, by prefix."""
    _, bucket = stack.one("AWS::S3::Bucket")
    assert set(bucket["NotificationConfiguration"]) == {"TopicConfigurations"}
    topics = {}
    for configuration in bucket["NotificationConfiguration"]["TopicConfigurations"]:
        (rule,) = configuration["Filter"]["S3Key"]["Rules"]
        assert rule["Name"] == "prefix"
        assert configuration["Event"] == "s3:ObjectCreated:*"
        assert rule["Value"] not in topics, "an object would have two tickets"
        topics[rule["Value"]] = configuration["Topic"]
    return topics


BELIEVED = ("raw/", "ledger/", "rejected/", "quarantine/", "aws/lambda/")
"""The prefixes that a replay reads, or asks about what was delivered."""


def is_refused(stack: Synthesized, action: str, key: str, principal: str | None) -> bool:
    """Tell whether the bucket's policy refuses a request over TLS, as IAM would evaluate it."""
    bucket, _ = stack.one("AWS::S3::Bucket")
    _, policy = stack.one("AWS::S3::BucketPolicy")
    for statement in statements(policy["PolicyDocument"]):
        resources = [written(resource) for resource in statement["Resource"]]
        if (
            statement["Effect"] == "Deny"
            and statement["Principal"] in ("*", {"AWS": "*"})
            and any(fnmatchcase(action, pattern) for pattern in statement["Action"])
            and any(fnmatchcase(f"{bucket}/{key}", pattern) for pattern in resources)
            and all(
                _holds(operator, wanted, principal)
                for operator, wanted in statement["Condition"].items()
            )
        ):
            return True
    return False


def _holds(operator: str, wanted: dict[str, Any], principal: str | None) -> bool:
    ((name, value),) = wanted.items()
    match operator, name:
        case "StringNotEquals", "aws:PrincipalArn":
            # Of none of them, and so also where the request has no such key.
            return principal not in [written(each) for each in as_list(value)]
        case "Bool", "aws:SecureTransport":
            return bool(value != "false")
        case "NumericLessThan", "s3:TlsVersion":
            return False
    raise AssertionError((operator, name))


def test_only_the_own_writers_write_what_a_replay_believes(everything: Synthesized) -> None:
    """Whoever writes there could have a replay put events before the SIEM."""
    bucket, _ = everything.one("AWS::S3::Bucket")
    admitted: dict[str, set[str]] = {prefix: set() for prefix in BELIEVED}
    for role, properties in everything.all(ROLE).items():
        grants = granted(properties) if "Policies" in properties else set()
        for prefix in BELIEVED:
            may = ("s3:PutObject", f"{bucket}/{prefix}*") in grants
            key = f"{prefix}source=s/dt=2026-11-26/hr=06/x"
            assert is_refused(everything, "s3:PutObject", key, role) is not may, (role, prefix)
            if may:
                admitted[prefix].add(role)
    parts = {
        prefix: sorted({role.split("Role")[0] for role in roles})
        for prefix, roles in admitted.items()
    }
    assert parts == {
        "raw/": ["Archiver"],
        "ledger/": ["FanOut"],
        "rejected/": ["FanOut", "Poller"],
        "quarantine/": ["FanOut"],
        "aws/lambda/": ["Archiver", "FanOut"],
    }


def test_nobody_else_of_the_account_writes_what_a_replay_believes(everything: Synthesized) -> None:
    others = ("arn:aws:iam::1:root", "arn:aws:iam::1:role/Admin", "arn:aws:iam::1:user/a", None)
    for principal in others:
        for action in ("s3:PutObject", "s3:ReplicateObject"):
            for prefix in BELIEVED:
                assert is_refused(everything, action, f"{prefix}x", principal), (action, prefix)
        # What operators and the workflow write, and what anyone may read, is left to their rights.
        assert not is_refused(everything, "s3:PutObject", "jobs/replay/1.json", principal)
        assert not is_refused(everything, "s3:PutObject", "athena-results/1.csv", principal)
        assert not is_refused(everything, "s3:GetObject", "raw/x", principal)


def test_tickets_for_what_needs_someone_alone(stack: Synthesized) -> None:
    bucket, _ = stack.one("AWS::S3::Bucket")
    queue, _ = stack.one("AWS::SQS::Queue", "DeadLetters")
    topic, _ = stack.one("AWS::SNS::Topic", "Tickets")
    policy, _ = stack.one("AWS::SNS::TopicPolicy", "Tickets")
    assert notified(stack) == {"rejected/": {"Ref": topic}, "aws/lambda/": {"Ref": topic}}
    _, subscription = stack.one("AWS::SNS::Subscription", "Tickets")
    assert subscription["TopicArn"] == {"Ref": topic}
    assert (subscription["Protocol"], subscription["RawMessageDelivery"]) == ("sqs", True)
    assert subscription["Endpoint"] == {"Fn::GetAtt": [queue, "Arn"]}
    others = set(expiry(stack)) - set(notified(stack))
    assert others == {"raw/", "ledger/", "jobs/", "quarantine/", "athena-results/"}
    for prefix in others:
        assert not any(prefix.startswith(told) for told in notified(stack))
    assert policy in stack.document["Resources"][bucket]["DependsOn"]


def test_a_test_event_of_s3_meets_no_subscription(stack: Synthesized) -> None:
    """S3 sends it when notifications are set up; nobody would take it off the queue."""
    bucket, _ = stack.one("AWS::S3::Bucket")
    policy, _ = stack.one("AWS::SQS::QueuePolicy", "DeadLetters")
    name, subscription = stack.one("AWS::SNS::Subscription", "Tickets")
    assert set(stack.document["Resources"][name]["DependsOn"]) == {bucket, policy}
    # Later ones, when notifications change, do not fit: S3's test event has no Records.
    assert subscription["FilterPolicyScope"] == "MessageBody"
    assert subscription["FilterPolicy"] == {
        "Records": {"eventName": [{"prefix": "ObjectCreated:"}]}
    }
