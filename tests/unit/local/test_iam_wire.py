"""What IAM decides about, read from requests that botocore itself writes."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import prepare_request_dict
from botocore.serialize import create_serializer

from local.iam.actions import IamPlace, calls_of
from local.iam.wire import WireRequest, operation

SESSION = botocore.session.Session()
PLACE = IamPlace("us-west-2", "000000000000")
ROLE = "arn:aws:iam::000000000000:role/Role"
SAMPLES: dict[str, Any] = {
    "string": "x",
    "integer": 1,
    "long": 1,
    "boolean": True,
    "timestamp": 0,
    "blob": b"x",
    "list": [],
    "map": {},
}


def written(service: str, name: str, **given: Any) -> WireRequest:
    """A request as botocore writes it, with path-style addresses."""
    model = SESSION.get_service_model(service)
    shape = model.operation_model(name)
    serializer = create_serializer(model.metadata["protocol"], include_validation=False)
    made = serializer.serialize_to_request(given, shape)
    prepare_request_dict(made, "http://127.0.0.1:1")
    path, _, query = made["url"].removeprefix("http://127.0.0.1:1").partition("?")
    body = made["body"].encode() if isinstance(made["body"], str) else bytes(made["body"])
    headers = {key.lower(): str(value) for key, value in made["headers"].items()}
    return WireRequest(service, made["method"], path, query, headers, body)


def required(service: str, name: str) -> dict[str, Any]:
    shape = SESSION.get_service_model(service).operation_model(name).input_shape
    members = (
        {} if shape is None else {each: shape.members[each] for each in shape.required_members}
    )
    return {
        each: (member.enum or [SAMPLES.get(member.type_name, {})])[0]
        if hasattr(member, "enum")
        else SAMPLES.get(member.type_name, {})
        for each, member in members.items()
    }


def of(request: WireRequest) -> list[tuple[str, str]]:
    return [(call.action, call.resource) for call in calls_of(request, ROLE, PLACE)]


#: They look on the wire as another operation, of nearly the same name, or have a host of their own.
TWINS = {
    *("ListDirectoryBuckets", "WriteGetObjectResponse"),
    *("GetBucketLifecycle", "GetBucketLifecycleConfiguration", "GetBucketNotification"),
    *("GetBucketNotificationConfiguration", "PutBucketLifecycle", "PutBucketNotification"),
    *("PutBucketLifecycleConfiguration", "PutBucketNotificationConfiguration"),
}
MORE = {"GetObjectAttributes": {"ObjectAttributes": ["ETag"]}}


@pytest.mark.parametrize(
    "name", sorted(set(SESSION.get_service_model("s3").operation_names) - TWINS)
)
def test_each_operation_of_s3_is_known_by_its_request(name: str) -> None:
    given = required("s3", name) | MORE.get(name, {})
    assert operation(written("s3", name, **given))[0] == name


@pytest.mark.parametrize("service", ["dynamodb", "kinesis", "sqs", "ssm"])
def test_each_operation_of_a_json_service_is_known_by_its_target(service: str) -> None:
    for name in SESSION.get_service_model(service).operation_names:
        assert operation(written(service, name))[0] == name


def test_an_action_has_iam_s_own_name_and_the_resource_s_arn() -> None:
    table, stream = "arn:aws:dynamodb:us-west-2:000000000000:table/", "arn:aws:kinesis:us-west-2:"
    url = "http://127.0.0.1:1/000000000000/events"
    item = {"pk": {"S": "1"}}
    batch = {"RequestItems": {"a": {"Keys": [item]}, "b": {"Keys": [item]}}}
    transact = [
        {"Put": {"TableName": "a", "Item": item}},
        {"Delete": {"TableName": "b", "Key": item}},
    ]
    stream += "000000000000:stream/s"
    parameter = "arn:aws:ssm:us-west-2:000000000000:parameter/"
    assert of(written("kinesis", "PutRecords", StreamName="s", Records=[])) == [
        ("kinesis:PutRecords", stream)
    ]
    assert of(written("kinesis", "GetRecords", ShardIterator="i", StreamARN=stream)) == [
        ("kinesis:GetRecords", stream)
    ]
    assert of(written("sqs", "SendMessageBatch", QueueUrl=url, Entries=[])) == [
        ("sqs:SendMessage", "arn:aws:sqs:us-west-2:000000000000:events")
    ]
    assert of(written("dynamodb", "BatchGetItem", **batch)) == [
        ("dynamodb:BatchGetItem", f"{table}a"),
        ("dynamodb:BatchGetItem", f"{table}b"),
    ]
    assert of(written("dynamodb", "TransactWriteItems", TransactItems=transact)) == [
        ("dynamodb:PutItem", f"{table}a"),
        ("dynamodb:DeleteItem", f"{table}b"),
    ]
    assert of(written("dynamodb", "Query", TableName="a", IndexName="i")) == [
        ("dynamodb:Query", f"{table}a/index/i")
    ]
    assert of(written("ssm", "GetParameters", Names=["/a/b", "c"])) == [
        ("ssm:GetParameters", f"{parameter}a/b"),
        ("ssm:GetParameters", f"{parameter}c"),
    ]


def test_actions_of_s3_are_those_of_its_table_of_permissions() -> None:
    bucket, key = "arn:aws:s3:::b", "raw/a=1/ü x.gz"
    at = {"Bucket": "b", "Key": key}
    for name, given, actions in (
        ("GetObject", {}, ["s3:GetObject"]),
        ("GetObject", {"VersionId": "1"}, ["s3:GetObjectVersion"]),
        ("HeadObject", {}, ["s3:GetObject"]),
        ("PutObject", {}, ["s3:PutObject"]),
        ("CreateMultipartUpload", {}, ["s3:PutObject"]),
        ("UploadPart", {"PartNumber": 1, "UploadId": "u"}, ["s3:PutObject"]),
        ("AbortMultipartUpload", {"UploadId": "u"}, ["s3:AbortMultipartUpload"]),
        ("ListParts", {"UploadId": "u"}, ["s3:ListMultipartUploadParts"]),
        ("GetObjectTagging", {}, ["s3:GetObjectTagging"]),
    ):
        assert of(written("s3", name, **at, **given)) == [
            (action, f"{bucket}/{key}") for action in actions
        ], name
    copied = written("s3", "CopyObject", Bucket="b", Key="c", CopySource="other/key")
    assert of(copied) == [
        ("s3:PutObject", f"{bucket}/c"),
        ("s3:GetObject", "arn:aws:s3:::other/key"),
    ]
    (listed,) = calls_of(written("s3", "ListObjectsV2", Bucket="b", Prefix="raw/"), ROLE, PLACE)
    assert (listed.action, listed.resource) == ("s3:ListBucket", bucket)
    assert dict(listed.context)["s3:prefix"] == "raw/"
    body = {"Objects": [{"Key": "a&b"}, {"Key": "c"}]}
    assert of(written("s3", "DeleteObjects", Bucket="b", Delete=body)) == [
        ("s3:DeleteObject", f"{bucket}/a&b"),
        ("s3:DeleteObject", f"{bucket}/c"),
    ]


def test_a_request_that_nobody_knows_is_no_action_of_iam_s() -> None:
    made = WireRequest("kinesis", "POST", "/", "", {"x-amz-target": "Kinesis.Nonsense"}, b"no")
    assert of(made) == [("kinesis:Nonsense", "")]
    form = WireRequest("sqs", "POST", "/", "", {}, b"Action=SendMessage&QueueUrl=http://h/1/q")
    assert of(form) == [("sqs:SendMessage", "arn:aws:sqs:us-west-2:000000000000:q")]
    assert json.dumps(of(WireRequest("s3", "PATCH", "/b/k", "", {}, b"")))
