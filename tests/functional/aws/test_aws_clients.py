"""The lean clients against the emulator, beside boto3; and against servers that misbehave."""

from __future__ import annotations

import gzip
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)

from local.emulator import Emulator
from pipeline.aws.account import Account
from pipeline.aws.clients import S3, DynamoDb, Kinesis, Sqs, Ssm, TargetKinesis
from pipeline.aws.connections import ClientConfig, Connections
from pipeline.aws.s3_reading import ReadableS3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.aws.seams import Failure

TEXT = 'é "quoted" \\ \u2028 😀 \x09'


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("aws"), region="us-west-2") as started:
        yield started


@pytest.fixture(scope="module")
def account(emulator: Emulator) -> Account:
    return Account(
        "us-west-2",
        emulator.credentials.access_key_id,
        emulator.credentials.secret_access_key,
        endpoint_url=emulator.endpoint_url,
    )


def only(answers: list[dict[str, Any] | Failure]) -> dict[str, Any]:
    """The answer to a single call; its error is raised, as other clients do it."""
    (found,) = answers
    if isinstance(found, Exception):
        raise found
    return found


def send(account: Account, url: str, entries: list[dict[str, str]]) -> dict[str, Any]:
    return only(Sqs(account).send_message_batches([{"QueueUrl": url, "Entries": entries}]))


def test_messages(emulator: Emulator, account: Account) -> None:
    sqs = emulator.client("sqs")
    url = sqs.create_queue(QueueName="lean")["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": f"{number}{TEXT}"} for number in range(10)]
    ours = send(account, url, entries)
    theirs = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [set(one) for one in ours["Successful"]] == [set(one) for one in theirs["Successful"]]
    bodies = []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in found]
    assert sorted(bodies) == sorted([entry["MessageBody"] for entry in entries] * 2)


def test_items(emulator: Emulator, account: Account) -> None:
    dynamodb = emulator.client("dynamodb")
    dynamodb.create_table(
        TableName="lean",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    lean = DynamoDb(account)
    items = [{"pk": {"S": f"{n}{TEXT}"}, "expires": {"N": str(n)}} for n in range(25)]
    puts = [{"PutRequest": {"Item": item}} for item in items]
    put = only(lean.batch_write_items([{"RequestItems": {"lean": puts}}]))
    assert not put.get("UnprocessedItems")
    request = {"lean": {"Keys": [{"pk": item["pk"]} for item in items], "ConsistentRead": True}}
    ours = only(lean.batch_get_items([{"RequestItems": request}]))["Responses"]["lean"]
    theirs = dynamodb.batch_get_item(RequestItems=request)["Responses"]["lean"]
    key: Callable[[Any], str] = lambda item: str(item["pk"]["S"])  # noqa: E731
    assert sorted(ours, key=key) == sorted(theirs, key=key) == sorted(items, key=key)


def test_parameters(emulator: Emulator, account: Account) -> None:
    emulator.client("ssm").put_parameter(Name="/a/b", Value="one\ntwo", Type="SecureString")
    found = Ssm(account).get_parameter(Name="/a/b", WithDecryption=True)
    assert found["Parameter"]["Value"] == "one\ntwo"
    with pytest.raises(ClientError) as caught:
        Ssm(account).get_parameter(Name="/a/c", WithDecryption=True)
    assert caught.value.response["Error"]["Code"] == "ParameterNotFound"


def test_records(emulator: Emulator, account: Account) -> None:
    kinesis = emulator.client("kinesis")
    kinesis.create_stream(StreamName="lean", ShardCount=1)
    lean, sent = Kinesis(account), []
    for number, content in enumerate((bytes(range(256)), TEXT.encode() * 1_000)):
        put = lean.put_record(StreamName="lean", PartitionKey=f"{number}{TEXT}", Data=content)
        sent.append((put["SequenceNumber"], f"{number}{TEXT}", content))
    with pytest.raises(ClientError) as caught:
        lean.put_record(StreamName="absent", PartitionKey="k", Data=b"1")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    (shard,) = kinesis.list_shards(StreamName="lean")["Shards"]
    iterator = kinesis.get_shard_iterator(
        StreamName="lean", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = kinesis.get_records(ShardIterator=iterator)["Records"]
    assert sent == [(one["SequenceNumber"], one["PartitionKey"], one["Data"]) for one in records]


def test_objects(emulator: Emulator, account: Account) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="lean", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    content = gzip.compress(b"line\n")
    key = "raw/source=a b/dt=2026-11-23/hr=01/shardId-0-49.jsonl.gz"
    lean = S3(account, "lean")
    lean.put_object(Bucket="lean", Key=key, Body=content, ContentType="application/gzip")
    found = s3.get_object(Bucket="lean", Key=key)
    assert found["Body"].read() == content
    assert found["ContentType"] == "application/gzip"
    with pytest.raises(ValueError, match="lean alone"):
        lean.put_object(Bucket="other", Key=key, Body=b"", ContentType="text/plain")
    with pytest.raises(ClientError) as caught:
        S3(account, "absent").put_object(
            Bucket="absent", Key="k", Body=b"", ContentType="text/plain"
        )
    assert caught.value.response["Error"]["Code"] == "NoSuchBucket"


def test_what_jobs_read_is_what_boto3_reads(emulator: Emulator, account: Account) -> None:
    s3, lean = emulator.client("s3"), ReadableS3(account, "read")
    s3.create_bucket(Bucket="read", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    keys = [f"raw/source={name}/dt=2026-11-23/1.gz" for name in ("a", "b c+d&e=f%20", "é<&>\"'")]
    for key in keys:
        lean.put_object(Bucket="read", Key=key, Body=b"0123456789", ContentType="text/plain")
    for request in (
        {"Prefix": ""},
        {"Prefix": "raw/source=", "Delimiter": "/"},
        {"Prefix": "raw/", "StartAfter": keys[0]},
        {"Prefix": "nothing/"},
    ):
        ours, theirs = (one.list_objects_v2(Bucket="read", **request) for one in (lean, s3))
        assert ours["IsTruncated"] is theirs["IsTruncated"] is False
        assert ours["CommonPrefixes"] == theirs.get("CommonPrefixes", [])
        wanted = [
            {name: one[name] for name in ("Key", "Size", "LastModified")}
            for one in theirs.get("Contents", [])
        ]
        assert ours["Contents"] == wanted
    for key in keys:
        for asked in ({}, {"Range": "bytes=2-4"}):
            ours, theirs = (one.get_object(Bucket="read", Key=key, **asked) for one in (lean, s3))
            assert ours["Body"].read() == theirs["Body"].read()
            for name in ("ContentLength", "ETag"):
                assert ours[name] == theirs[name]
            assert ours["ContentRange"] == theirs.get("ContentRange", "")
    for code, asked in (
        ("NoSuchKey", {"Key": "gone"}),
        ("InvalidRange", {"Key": keys[0], "Range": "bytes=10-20"}),
        ("PreconditionFailed", {"Key": keys[0], "IfMatch": '"other"'}),
    ):
        for client in (lean, s3):
            with pytest.raises(ClientError) as caught:
                client.get_object(Bucket="read", **asked)
            assert caught.value.response["Error"]["Code"] == code


def test_jobs_write_as_boto3_does(emulator: Emulator, account: Account) -> None:
    kinesis, lean = emulator.client("kinesis"), TargetKinesis(account)
    kinesis.create_stream(StreamName="jobs", ShardCount=2)
    assert (
        lean.list_shards(StreamName="jobs")["Shards"]
        == (kinesis.list_shards(StreamName="jobs")["Shards"])
    )
    shard = lean.list_shards(StreamName="jobs")["Shards"][1]
    start = shard["HashKeyRange"]["StartingHashKey"]
    records = [
        {"PartitionKey": f"{n}{TEXT}", "Data": bytes(range(256)), "ExplicitHashKey": start}
        for n in range(3)
    ]
    answer = lean.put_records(StreamName="jobs", Records=records)
    assert [one["ShardId"] for one in answer["Records"]] == [shard["ShardId"]] * 3
    iterator = kinesis.get_shard_iterator(
        StreamName="jobs", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found = kinesis.get_records(ShardIterator=iterator)["Records"]
    assert [one["Data"] for one in found] == [bytes(range(256))] * 3


def test_errors_have_boto3s_codes(emulator: Emulator, account: Account) -> None:
    sqs = emulator.client("sqs")
    url = sqs.create_queue(QueueName="codes")["QueueUrl"]
    one = [{"Id": "1", "MessageBody": "x"}]
    large = [{"Id": str(number), "MessageBody": "x" * 200_000} for number in range(10)]
    for target, entries in ((url + "-absent", one), (url, large), (url, one * 11)):
        with pytest.raises(ClientError) as theirs:
            sqs.send_message_batch(QueueUrl=target, Entries=entries)
        with pytest.raises(ClientError) as ours:
            send(account, target, entries)
        # Both give the code of the older query protocol, which SQS puts into a header.
        expected = theirs.value.response["Error"]["Code"]
        assert ours.value.response["Error"]["Code"] == expected
    request = {"absent": {"Keys": [{"pk": {"S": "k"}}]}}
    with pytest.raises(ClientError) as theirs:
        emulator.client("dynamodb").batch_get_item(RequestItems=request)
    with pytest.raises(ClientError) as ours:
        only(DynamoDb(account).batch_get_items([{"RequestItems": request}]))
    for caught in (ours, theirs):
        assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_threads_share_a_client(emulator: Emulator, account: Account) -> None:
    sqs = emulator.client("sqs")
    url = sqs.create_queue(QueueName="threads")["QueueUrl"]
    lean = Sqs(account)

    def send_one(number: int) -> int:
        entries = [{"Id": "0", "MessageBody": str(number)}]
        answers = lean.send_message_batches([{"QueueUrl": url, "Entries": entries}])
        return len(only(answers)["Successful"])

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(send_one, range(200))) == 200
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "200"


@contextmanager
def server(*answers: bytes, silent: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """Answer one request for each answer, each on the same connection until b'' closes it."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(300)
    received: list[bytes] = []
    left = threading.Event()

    def serve() -> None:
        waiting = list(answers)
        while waiting:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(300)
                while waiting:
                    data = connection.recv(65_536)
                    if not data:
                        break
                    received.append(data)
                    answer = waiting.pop(0)
                    if not answer:
                        if silent:
                            left.wait(300)
                        break
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
    finally:
        left.set()
        listener.close()
        thread.join(300)


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def test_a_connection_is_kept_and_one_that_was_closed_is_replaced() -> None:
    with server(answer(b"1"), answer(b"2"), b"", answer(b"3")) as (url, received):
        connections = Connections(url)
        for expected in (b"1", b"2", b"3"):
            got = connections.send("POST", "/", b"body", {"host": connections.host})
            assert got.body == expected
        assert len(received) == 4  # the third was sent twice: its connection had been closed
        connections.close()


def test_a_fresh_connection_that_is_closed_is_an_error() -> None:
    with server(b"") as (url, received):
        with pytest.raises(ConnectionClosedError):
            Connections(url).send("POST", "/", b"body", {})
        assert len(received) == 1


def test_a_silent_server_is_an_error() -> None:
    with server(b"", silent=True) as (url, _), pytest.raises(ReadTimeoutError):
        Connections(url, ClientConfig(read_timeout=0.1)).send("POST", "/", b"body", {})


@contextmanager
def forgetful_server(first: int) -> Iterator[str]:
    """Answer one request on each of the first connections, and nothing more; later ones always.

    This is what a thawed function finds: connections that look open, and have nobody behind them.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    held: list[socket.socket] = []

    def answer_on(connection: socket.socket, times: int) -> None:
        for _ in range(times):
            if not connection.recv(65_536):
                break
            connection.sendall(answer(b"{}"))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            held.append(connection)
            times = 1 if len(held) <= first else 1_000
            threading.Thread(target=answer_on, args=(connection, times), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in held:
            connection.close()
        thread.join(300)


def test_after_connections_vanished_one_time_out_is_followed_by_answers_alone() -> None:
    with forgetful_server(8) as url:
        account = Account("us-west-2", "test", "test", endpoint_url=url)
        sqs = Sqs(account, ClientConfig(read_timeout=0.5))
        calls = [{"QueueUrl": "u", "Entries": []}] * 8
        assert sqs.send_message_batches(calls) == [{}] * 8
        lost = sqs.send_message_batches(calls * 2)
        assert [type(one) for one in lost] == [ReadTimeoutError] * 16
        for _ in range(3):
            assert sqs.send_message_batches(calls * 2) == [{}] * 16


def test_nobody_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(EndpointConnectionError):
        Connections(f"http://127.0.0.1:{port}").send("POST", "/", b"", {})


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'"text"', b"\xff"])
def test_an_answer_that_is_no_object_is_an_error_not_a_success(body: bytes) -> None:
    with server(answer(body)) as (url, _):
        account = Account("us-west-2", "test", "test", endpoint_url=url)
        with pytest.raises(HTTPClientError, match="no JSON object"):
            send(account, "u", [])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}', "QueueDoesNotExist"),
        (b'{"__type":"ThrottlingException"}', "ThrottlingException"),
        (b"<html>busy</html>", "503"),
        (b"", "503"),
    ],
)
def test_errors_are_named(body: bytes, code: str) -> None:
    with server(answer(body, "503 Service Unavailable")) as (url, _):
        account = Account("us-west-2", "test", "test", endpoint_url=url)
        with pytest.raises(ClientError) as caught:
            send(account, "u", [])
        assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("first", "requests"),
    [
        (answer(b"busy", "503 Service Unavailable"), 2),
        (answer(b'{"__type":"ThrottlingException"}', "400 Bad Request"), 2),
        (b"", 2),
        (answer(b'{"__type":"ResourceNotFoundException"}', "400 Bad Request"), 1),
    ],
)
def test_a_call_is_made_again_where_that_may_help(first: bytes, requests: int) -> None:
    second = [answer(b'{"SequenceNumber":"1"}')] if requests == 2 else []
    with server(first, *second) as (url, received):
        account = Account("us-west-2", "test", "test", endpoint_url=url)
        client = Kinesis(account, ClientConfig(attempts=2))
        if requests == 1:
            with pytest.raises(ClientError):
                client.put_record(StreamName="s", PartitionKey="k", Data=b"d")
        else:
            put = client.put_record(StreamName="s", PartitionKey="k", Data=b"d")
            assert put == {"SequenceNumber": "1"}
        assert len(received) == requests


def test_every_error_is_one_that_callers_know() -> None:
    assert issubclass(ConnectionClosedError, BotoCoreError)
    assert issubclass(EndpointConnectionError, BotoCoreError)
    assert issubclass(HTTPClientError, BotoCoreError)
    assert issubclass(ReadTimeoutError, BotoCoreError)
