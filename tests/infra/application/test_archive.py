"""The archive's bucket: who sees it, how long it keeps what, and what makes a ticket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
