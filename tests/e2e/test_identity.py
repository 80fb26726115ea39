"""Two different events are never one: from the door to the queue, on the synthesized stack."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from local import emulator
from pipeline.event.envelope import Envelope, encode_envelope
from settings.source.loader import available_sources, load_source
from tests.e2e.test_local_pipeline import generic_token, post, settled
from toolbox.sources.samples import authenticate, load_samples

if TYPE_CHECKING:
    from local.endpoints import Endpoints
    from tests.e2e.conftest import Running


class Ends:
    """What became of what a test sends."""

    def __init__(self, running: Running, where: Endpoints) -> None:
        self._running, self._where = running, where
        self._before = settled(running)
        self.bodies()

    def counted(self) -> Counter[str]:
        return settled(self._running) - self._before

    def bodies(self) -> list[str]:
        """Take what the queues have, as text."""
        where, found = self._where, []
        sqs = emulator.client(
            "sqs",
            endpoint_url=where.aws_endpoint_url,
            region=where.region,
            credentials=where.credentials,
        )
        for url in where.queues.values():
            while batch := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0).get("Messages"):
                (one,) = batch
                found.append(str(one["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return found


@pytest.fixture
def ends(running: Running, where: Endpoints) -> Ends:
    return Ends(running, where)


def send(where: Endpoints, name: str, body: bytes, **headers: str) -> None:
    source = load_source(available_sources()[name])
    (secret,) = (value.splitlines()[0] for value in where.parameters[name].values())
    given = {"Content-Type": "application/json"}
    given |= {key.replace("_", "-"): value for key, value in headers.items()}
    proof = authenticate(source, secret, body, now=time.time(), headers=given)
    assert post(where, name, body, {**given, **proof})[0] == 200


def test_a_known_id_with_another_body_is_delivered_and_said(where: Endpoints, ends: Ends) -> None:
    delivery = str(uuid.uuid4())
    for number in (1, 2, 1):
        body = orjson.dumps({"number": number, "mark": delivery})
        send(where, "github", body, X_GitHub_Event="x", X_GitHub_Delivery=delivery)
    assert ends.counted() == {"Received": 3, "Delivered": 2, "Duplicate": 1, "IdReused": 1}
    tags = sorted(len(orjson.loads(text)["tags"]) for text in ends.bodies())
    assert tags[1] == tags[0] + 1


def test_a_captured_request_under_another_id_is_seen(where: Endpoints, ends: Ends) -> None:
    body = orjson.dumps({"mark": str(uuid.uuid4())})
    for _ in range(2):
        send(where, "github", body, X_GitHub_Event="x", X_GitHub_Delivery=str(uuid.uuid4()))
    assert ends.counted() == {"Received": 2, "Delivered": 2, "BodyReused": 1}
    assert sum('"body_reused"' in text for text in ends.bodies()) == 1


def test_one_record_twice_on_the_stream_is_delivered_once(where: Endpoints, ends: Ends) -> None:
    body, headers = orjson.dumps({"mark": str(uuid.uuid4())}), {"content-type": "application/json"}
    now = int(time.time() * 1_000)
    data = encode_envelope(Envelope(uuid.uuid4().hex, now, "generic", "::1", body, "", headers))
    kinesis = emulator.client(
        "kinesis",
        endpoint_url=where.aws_endpoint_url,
        region=where.region,
        credentials=where.credentials,
    )
    (stream,) = kinesis.list_streams()["StreamNames"]
    for _ in range(2):
        kinesis.put_record(StreamName=stream, PartitionKey="k", Data=data)
    assert ends.counted() == {"Received": 2, "Delivered": 1, "Duplicate": 1}
    assert len(ends.bodies()) == 1


def test_an_alarm_that_recurs_arrives_each_time(where: Endpoints, ends: Ends) -> None:
    headers = {"Content-Type": "application/json", "Authorization": generic_token(where)}
    for _ in range(3):
        assert post(where, "generic", b'{"alarm":"backup failed"}', headers)[0] == 200
    assert ends.counted() == {"Received": 3, "Delivered": 3}
    assert len(ends.bodies()) == 3


def test_gitlab_loses_none_of_five_events_that_look_alike(where: Endpoints, ends: Ends) -> None:
    login = orjson.dumps({"event_name": "user_failed_login", "username": "mona"})
    flags = [
        orjson.dumps({"object_kind": "feature_flag", "object_attributes": {"active": active}})
        for active in (True, False, True)
    ]
    for body in (login, login):
        send(where, "gitlab", body, X_Gitlab_Event="System Hook")
    for body in flags:
        send(where, "gitlab", body, X_Gitlab_Event="Feature Flag Hook")
    assert ends.counted() == {"Received": 5, "Delivered": 5}


def test_elements_of_a_request_keep_their_bytes(where: Endpoints, ends: Ends) -> None:
    source = load_source(available_sources()["okta"])
    sample = next(
        one
        for one in load_samples(source)
        if one.settings.expect.outcome == "delivered" and one.settings.expect.events == 1
    )
    document: dict[str, Any] = orjson.loads(sample.body)
    (element,) = document["data"]["events"]
    element["uuid"], mark = "the-element", b'"the-element","n":20000000000000000001,"d":1.10'
    body = orjson.dumps(document).replace(b'"the-element"', mark)
    send(where, "okta", body)
    assert ends.counted() == {"Received": 1, "Delivered": 1}
    (text,) = ends.bodies()
    assert mark.decode() in text
