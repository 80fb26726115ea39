"""Messages that Amazon SNS signed, which the tests of AWS's own SDK have, and forgeries."""

from __future__ import annotations

import base64
import json
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ingest_lambdas.receiver import Receiver
from pipeline.event.outcomes import Reason
from pipeline.event.secrets import SecretError, SecretUnavailableError
from pipeline.polling.fetched_keys import FetchedKeys
from pipeline.runtime.secret_store import SecretStore
from settings.source.loader import SourceError
from tests.support.fakes import FakeSsm, FakeStream
from tests.support.proving import Proving, written
from tests.support.receiving import proxy_event

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).parents[2] / "support" / "proof_vectors.json"
SNS: dict[str, Any] = json.loads(FILE.read_text())["sns"]
MESSAGES: dict[str, dict[str, str]] = SNS["messages"]
TOPIC = "arn:aws:sns:us-west-2:131990247566:dongie-standard-topic"
FAMILY = "arn:aws:sns:us-west-2:131990247566:dongie-*"
OWN = "arn:aws:sns:eu-central-1:123456789012:alerts"
AT = datetime(2026, 3, 6, 20, 3, tzinfo=UTC).timestamp()
BASE: dict[str, Any] = {
    "authentication": {"type": "sns", "topics": [TOPIC, OWN]},
    "content_types": ["text/plain"],
    "event_type": {"path": "Type"},
    "delivery_id": {"path": "MessageId"},
}
SOURCES: dict[str, Any] = {
    "sns": BASE,
    "family": BASE
    | {
        "authentication": {"type": "sns", "topics": ["arn:aws:sns:us-west-2:131990247566:dongie-*"]}
    },
    "behind": BASE | {"ingest": "receiver"},
}


@pytest.fixture(scope="module")
def proving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proving]:
    with ExitStack() as stack:
        yield Proving(tmp_path_factory.mktemp("proving"), stack, SOURCES)


class Certificates:
    """What is at addresses, and which were asked for."""

    def __init__(self, **more: bytes) -> None:
        self.found = {SNS["address"]: SNS["certificate"].encode(), **more}
        self.asked: list[str] = []

    def fetch(self, address: str) -> bytes | None:
        self.asked.append(address)
        return self.found.get(address)

    def __call__(self, _source: object, address: str = "", /) -> list[tuple[bytes, ...]]:
        found = self.fetch(address)
        return [() if found is None else (found,)]


def fault(proving: Proving, message: dict[str, Any], at: float = AT) -> Reason | None:
    return proving.fault("sns", Certificates(), {}, json.dumps(message).encode(), at)


@pytest.mark.parametrize("name", MESSAGES)
def test_what_sns_signed_fits_and_nothing_that_was_changed(proving: Proving, name: str) -> None:
    message = MESSAGES[name]
    assert fault(proving, message) is None
    assert fault(proving, message | {"UnsubscribeURL": "https://evil.example/"}) is None
    signed = set(message) - {"UnsubscribeURL", "SignatureVersion", "Signature", "SigningCertURL"}
    for field in signed:
        assert fault(proving, message | {field: f"{message[field]} "}) is Reason.BAD_SIGNATURE
        without = {key: value for key, value in message.items() if key != field}
        assert fault(proving, without) is Reason.BAD_SIGNATURE
    assert fault(proving, message | {"Subject": "x"}) is (
        Reason.BAD_SIGNATURE if message["Type"] == "Notification" else None
    )
    other = {"1": "2", "2": "1"}[message["SignatureVersion"]]
    for version in (other, "3", "", 1):
        assert fault(proving, message | {"SignatureVersion": version}) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("name", ["sns", "family", "behind"])
def test_a_notification_goes_the_whole_way(proving: Proving, name: str) -> None:
    from toolbox.sources.rehearsal import Rehearsal
    from toolbox.sources.samples import SampleRequest

    fetched = {SNS["address"]: SNS["certificate"].encode()}
    rehearsal = Rehearsal(proving.loaded, proving.catalog, (), now=AT, fetched=fetched)
    body = json.dumps(MESSAGES["version 2"]).encode()
    headers = {"Content-Type": "text/plain; charset=UTF-8"}
    assert rehearsal.take(name, SampleRequest(headers, body), "r").accepted
    forged = body.replace(b"This message", b"That message")
    assert not rehearsal.take(name, SampleRequest(headers, forged), "r").accepted


@pytest.mark.parametrize(
    "address",
    [
        SNS["address"].replace("https:", "http:"),
        SNS["address"].replace("us-west-2", "eu-west-1"),
        SNS["address"].replace("amazonaws.com", "amazonaws.com.evil.example"),
        SNS["address"].replace("amazonaws.com", "amazonaws.com.cn"),
        SNS["address"].replace("sns.us", "evil.example/sns.us"),
        SNS["address"].replace("sns.us-west-2.amazonaws.com", "evil.example#sns.us-west-2"),
        SNS["address"].replace("https://", "https://user@"),
        SNS["address"].replace(".com/", ".com:444/"),
        SNS["address"].replace(".com/", ".com@evil.example/"),
        SNS["address"].replace(".com/", ".com/../"),
        SNS["address"].replace(".com/", ".com/bucket/"),
        SNS["address"].replace(".pem", ".pem?x=.pem"),
        SNS["address"].replace(".pem", ".pem\n"),
        SNS["address"].replace(".pem", ".txt"),
        SNS["address"].replace("-7506", "-../7506"),
        "https://s3.amazonaws.com/evil/SimpleNotificationService-1.pem",
        "",
    ],
)
def test_certificates_come_from_sns_in_the_topics_region(proving: Proving, address: str) -> None:
    found = Certificates()
    body = json.dumps(MESSAGES["version 2"] | {"SigningCertURL": address}).encode()
    assert proving.fault("sns", found, {}, body, AT) is Reason.BAD_SIGNATURE
    assert found.asked == []


@cache
def own_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def certificate(key: rsa.RSAPrivateKey, first: datetime, last: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, first, last)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


OWN_ADDRESS = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b.pem"


def own(topic: str = OWN, at: float = AT, **more: str) -> dict[str, str]:
    """A message that somebody signed with a key of his own."""
    when = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    fields = {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": topic,
        "Message": "Größe",
        "Timestamp": when.replace("+00:00", "Z"),
        **more,
    }
    names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
    text = "".join(f"{name}\n{fields[name]}\n" for name in names if name in fields)
    signature = own_key().sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return {
        **fields,
        "SignatureVersion": "2",
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": OWN_ADDRESS,
    }


def test_a_topic_must_be_named_and_a_certificate_valid(proving: Proving) -> None:
    now = datetime.fromtimestamp(AT, UTC)
    day = timedelta(days=1)

    def says(message: dict[str, str], first: datetime, last: datetime) -> Reason | None:
        found = Certificates(**{OWN_ADDRESS: certificate(own_key(), first, last)})
        return proving.fault("sns", found, {}, json.dumps(message).encode(), AT)

    assert says(own(), now - day, now + day) is None
    assert says(own(Subject="Größe"), now - day, now + day) is None
    assert says(own(), now - 2 * day, now - day) is Reason.BAD_SIGNATURE
    assert says(own(), now + day, now + 2 * day) is Reason.BAD_SIGNATURE
    assert says(own(at=AT - 7_300), now - day, now + day) is Reason.STALE_SIGNATURE
    assert says(own(at=AT + 400), now - day, now + day) is Reason.STALE_SIGNATURE
    assert says(own(Timestamp="soon"), now - day, now + day) is Reason.STALE_SIGNATURE
    for topic in (
        OWN.replace("alerts", "other"),
        OWN.replace("123456789012", "210987654321"),
        OWN + ":x",
        f"{OWN}*",
        "arn:aws:sns:eu-central-1",
        "",
        "alerts",
    ):
        assert says(own(topic), now - day, now + day) is Reason.BAD_SIGNATURE


def test_what_the_receiver_let_in_waits_for_its_certificate(proving: Proving) -> None:
    """Nobody chose its address but SNS; a `direct` source's may be anybody's."""

    def fetch(address: str) -> bytes | None:
        raise SecretError(f"{address}: no answer")

    for name, lasting in (("behind", False), ("sns", True)):
        store = SecretStore(FakeSsm({}), "P", "dev", keys=FetchedKeys(fetch))
        body = json.dumps(MESSAGES["version 2"]).encode()
        with pytest.raises(SecretError) as error:
            proving.fault(name, store.of, {}, body, AT)
        assert isinstance(error.value, SecretUnavailableError) is lasting


def test_the_lines_of_a_text_are_no_other_fields(proving: Proving) -> None:
    """SNS signs names and values in lines, and a message's own text can have lines like them."""
    now, day = datetime.fromtimestamp(AT, UTC), timedelta(days=1)
    found = Certificates(**{OWN_ADDRESS: certificate(own_key(), now - day, now + day)})
    sent = own(Message="all is well\nMessageId\nm-0")
    assert proving.fault("sns", found, {}, json.dumps(sent).encode(), AT) is None
    read_otherwise = sent | {"Message": "all is well", "MessageId": "m-0\nMessageId\nm-1"}
    body = json.dumps(read_otherwise).encode()
    assert proving.fault("sns", found, {}, body, AT) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"Type":"Notification"}',
        b"\xff",
        b'{"Type":[]}',
        b"[" * 100_000,
        json.dumps({**MESSAGES["version 2"], "Type": "Other"}).encode(),
        json.dumps({**MESSAGES["version 2"], "Message": {"a": 1}}).encode(),
        json.dumps({**MESSAGES["version 2"], "Signature": "A" * 100_000}).encode(),
        json.dumps({**MESSAGES["version 2"], "Message": "x", "Token": 1}).encode(),
        json.dumps({**MESSAGES["version 2"], "Message": "x", "Token": None}).encode(),
        json.dumps({**MESSAGES["version 2"], "Signature": "\u00e9"}).encode(),
        json.dumps(MESSAGES["version 2"]).encode()[:-1] + b',"Message":"another"}',
    ],
)
def test_what_is_no_message_is_refused(proving: Proving, body: bytes) -> None:
    assert proving.fault("sns", Certificates(), {}, body, AT) is Reason.BAD_SIGNATURE


def test_a_missing_or_broken_certificate_lets_nobody_in(proving: Proving) -> None:
    body = json.dumps(own()).encode()
    for document in (b"", b"<Error/>", SNS["certificate"].encode()):
        found = Certificates(**{OWN_ADDRESS: document})
        assert proving.fault("sns", found, {}, body, AT) is Reason.BAD_SIGNATURE
    assert proving.fault("sns", Certificates(), {}, body, AT) is Reason.BAD_SIGNATURE


class Visits:
    """The addresses that the receiver visits."""

    def __init__(self, answer: bytes | SecretError | None = b"<ok/>") -> None:
        self.answer = answer
        self.addresses: list[str] = []

    def __call__(self, address: str) -> bytes | None:
        self.addresses.append(address)
        if isinstance(self.answer, SecretError):
            raise self.answer
        return self.answer


def receive(
    proving: Proving, message: dict[str, Any], visits: Visits
) -> tuple[int, FakeStream, str]:
    store = SecretStore(FakeSsm({}), "P", "dev", keys=FetchedKeys(Certificates().fetch))
    stream = FakeStream()
    receiver = Receiver(proving.catalog, store, stream, "events", visit=visits)
    headers = {"Content-Type": "text/plain; charset=UTF-8"}
    body = json.dumps(message).encode()
    event = proxy_event("behind", body, headers, arrived_ms=int(AT * 1_000))
    answer = receiver.receive(event)[1]
    return answer.status, stream, answer.explanation


def test_a_verified_subscription_is_confirmed_and_is_no_event(proving: Proving) -> None:
    message, visits = MESSAGES["subscription"], Visits()
    status, stream, _ = receive(proving, message, visits)
    assert (status, stream.records) == (200, [])
    (address,) = visits.addresses
    assert address.replace("%3A", ":") == message["SubscribeURL"]


def test_a_subscription_that_cannot_be_confirmed_now_comes_again(proving: Proving) -> None:
    token = MESSAGES["subscription"]["Token"]
    for answer in (None, SecretError(f"https://sns/?Token={token}")):
        status, stream, explanation = receive(proving, MESSAGES["subscription"], Visits(answer))
        assert (status, stream.records) == (503, [])
        assert token not in explanation


@pytest.mark.parametrize(
    "change",
    [
        {"SubscribeURL": "https://evil.example/"},
        {"TopicArn": OWN},
        {"Token": "0" * 64},
        {"Token": "0&Action=Unsubscribe"},
        {"Signature": "AAAA"},
    ],
)
def test_nothing_else_is_visited(proving: Proving, change: dict[str, str]) -> None:
    visits = Visits()
    status, stream, _ = receive(proving, MESSAGES["subscription"] | change, visits)
    assert (status, stream.records, visits.addresses) == (401, [], [])


def test_other_messages_are_events(proving: Proving) -> None:
    for name in ("version 2", "with a subject", "unsubscription"):
        visits = Visits()
        status, stream, _ = receive(proving, MESSAGES[name], visits)
        assert (status, len(stream.records), visits.addresses) == (200, 1, [])


@pytest.mark.parametrize(
    "topic",
    [
        "*",
        "arn:aws:sns:*:123456789012:alerts",
        "arn:aws:sns:eu-central-1:*:alerts",
        "arn:aws:sns:eu-central-1:123456789012:",
        "arn:aws:sns:eu-central-1:123456789012:a*b",
        "arn:aws:sqs:eu-central-1:123456789012:alerts",
        "arn:aws:sns:evil.example/:123456789012:alerts",
        "arn:evil:sns:eu-central-1:123456789012:alerts",
    ],
)
def test_topics_are_of_one_account_and_region(tmp_path: Path, topic: str) -> None:
    with pytest.raises(SourceError, match="topics"):
        written(tmp_path, "sns", **(BASE | {"authentication": {"type": "sns", "topics": [topic]}}))


def test_sns_sends_text(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="text/plain"):
        written(tmp_path, "sns", **(BASE | {"content_types": ["application/json"]}))
    with pytest.raises(SourceError, match="is json: what SNS signs"):
        written(tmp_path, "forms", **(BASE | {"body": {"format": "form"}}))
