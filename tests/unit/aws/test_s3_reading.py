"""What jobs read of S3: pages of keys, objects, and answers that are neither."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, HTTPClientError

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.aws import json_service
from pipeline.aws.account import Account
from pipeline.aws.connections import ClientConfig, Connections
from pipeline.aws.retries import RetryPolicy
from pipeline.aws.s3_reading import ReadableS3, read_listing
from pipeline.aws.wire import RawResponse

ACCOUNT = Account("us-west-2", "AKID", "secret")
#: After the example of ListObjectsV2 in the Amazon S3 API Reference.
PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>archive</Name><Prefix>raw/</Prefix><KeyCount>1</KeyCount><MaxKeys>1</MaxKeys>
  <EncodingType>url</EncodingType><IsTruncated>{more}</IsTruncated>{token}
  <Contents>
    <Key>{key}</Key><LastModified>2026-11-23T17:50:30.000Z</LastModified>
    <ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag><Size>434234</Size>
    <StorageClass>STANDARD</StorageClass>
  </Contents>
</ListBucketResult>"""
TOKEN = "<NextContinuationToken>1ueG/r+F==</NextContinuationToken>"
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>"


class Player:
    """Answers as it is told, and keeps what was asked."""

    def __init__(self, *answers: RawResponse | BotoCoreError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []

    def send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> RawResponse:
        assert not body
        self.asked.append((method, path, headers))
        answer = self.answers.pop(0)
        if isinstance(answer, BotoCoreError):
            raise answer
        return answer


def client(
    monkeypatch: pytest.MonkeyPatch, player: Player, config: ClientConfig | None = None
) -> ReadableS3:
    monkeypatch.setattr(Connections, "send", lambda _self, *asked: player.send(*asked))
    monkeypatch.setattr(json_service, "RETRIES", RetryPolicy(first_backoff=0, longest_backoff=0))
    return ReadableS3(ACCOUNT, "archive", config or ClientConfig(attempts=3, patience=0))


def page(key: str, token: str = "") -> RawResponse:
    text = PAGE.format(key=key, token=token, more="true" if token else "false")
    return RawResponse(200, text.encode())


def test_pages_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    player = Player(page("raw/a+b%2Bc", TOKEN), page("raw/%C3%A9%01"))
    listing = ArchiveListing(client(monkeypatch, player), "archive")
    assert [ref.key for ref in listing.objects("raw/", after="raw/a")] == ["raw/a b+c", "raw/é\x01"]
    (first, second) = (path.partition("?") for _, path, _ in player.asked)
    wanted = {"list-type": "2", "encoding-type": "url", "prefix": "raw/", "start-after": "raw/a"}
    assert first[0] == second[0] == "/"
    assert dict(parse_qsl(first[2])) == wanted
    assert dict(parse_qsl(second[2])) == {**wanted, "continuation-token": "1ueG/r+F=="}


def test_an_entry_has_what_the_archive_asks_for() -> None:
    (entry,) = read_listing(page("raw/a").body)["Contents"]
    written = datetime(2026, 11, 23, 17, 50, 30, tzinfo=UTC)
    assert entry == {"Key": "raw/a", "Size": 434234, "LastModified": written}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<html></html>",
        b"<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        page("raw/a").body[:-20],
        SLOW_DOWN,
    ],
)
def test_what_is_no_listing_is_never_an_empty_bucket(body: bytes) -> None:
    with pytest.raises(HTTPClientError, match="no listing"):
        read_listing(body)


def test_a_range_is_asked_for_and_what_came_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"content-range": "bytes 0-3/6", "etag": '"one"'}
    rest = {**said, "content-range": "bytes 4-5/6"}
    player = Player(RawResponse(206, b"0123", said), RawResponse(206, b"45", rest))
    objects = Objects(client(monkeypatch, player), "archive", part_bytes=4)
    assert list(objects.chunks("raw/a b")) == [b"0123", b"45"]
    (_, path, first), (_, _, second) = player.asked
    assert path == "/raw/a%20b"
    assert (first["range"], first.get("if-match")) == ("bytes=0-3", None)
    assert (second["range"], second["if-match"]) == ("bytes=4-7", '"one"')
    assert "range;" in second["authorization"]
    assert "if-match;" in second["authorization"]


@pytest.mark.parametrize(
    "trouble",
    [
        RawResponse(503, SLOW_DOWN),
        RawResponse(500, b"<Error><Code>InternalError</Code></Error>"),
        EndpointConnectionError(endpoint_url="https://s3"),
    ],
)
def test_reading_is_tried_as_often_as_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, trouble: RawResponse | BotoCoreError
) -> None:
    for times in (2, 3):
        player = Player(*[trouble] * times, RawResponse(200, b"content"))
        s3 = client(monkeypatch, player)
        if times == 2:
            assert s3.get_object(Bucket="archive", Key="k")["Body"].read() == b"content"
        else:
            with pytest.raises((BotoCoreError, ClientError)):
                s3.get_object(Bucket="archive", Key="k")
        assert len(player.asked) == 3


def test_what_cannot_help_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = RawResponse(403, b"<Error><Code>AccessDenied</Code></Error>")
    player = Player(denied)
    with pytest.raises(ClientError, match=r"AccessDenied.*ListObjectsV2"):
        client(monkeypatch, player).list_objects_v2(Bucket="archive", Prefix="raw/")
    assert len(player.asked) == 1


def test_another_bucket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="archive alone"):
        client(monkeypatch, Player()).get_object(Bucket="other", Key="k")
