"""Messages of Amazon SNS, which sign some of their own fields.

Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from pipeline.event.encodings import strict_reader
from pipeline.event.outcomes import Reason
from pipeline.event.proof import ProofOfBody
from pipeline.event.proofs.compact import CompactError, strict_object
from pipeline.event.times import read_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.secrets import SecretsOf

Fault = tuple[Reason, str]
_CONFIRMATION = "SubscriptionConfirmation"
_OF_CONFIRMATIONS = (
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)
#: What is signed of each type, in this order; `Subject` where there is one.
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    _CONFIRMATION: _OF_CONFIRMATIONS,
    "UnsubscribeConfirmation": _OF_CONFIRMATIONS,
}
_ALGORITHMS = {"1": "rsa-sha1", "2": "rsa-sha256"}
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem", re.ASCII)
#: Base64 of RSA with 8,192 bits, and what the documentation bounds a token to, with room.
_LONGEST_SIGNATURE, _LONGEST_TOKEN = 1_368, 1_000
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}", re.ASCII)
_TOKEN = re.compile(r"[0-9A-Za-z]+", re.ASCII)
_read_signature = strict_reader("base64")


class _Message(NamedTuple):
    type: str
    topic: str
    host: str
    fields: dict[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class SnsMessage(ProofOfBody):
    """How such a source proves its requests.

    Parameters
    ----------
    topics : tuple[str, ...]
        The ARNs of the topics that may send; `*` at the end stands for any name.
    max_age_seconds : int
        How old a message may be by its own time.
    """

    topics: tuple[str, ...]
    max_age_seconds: int

    def find_fault(
        self,
        source: CompiledSource,
        secrets_of: SecretsOf,
        headers: Mapping[str, str],  # noqa: ARG002
        body: bytes,
        arrived_ms: int,
    ) -> Fault | None:
        """Tell why a message is not its topic's; see `signatures.find_fault`."""
        from pipeline.event.proofs.keys import fits, verifies
        from pipeline.event.proofs.public_key import is_valid

        try:
            message = self._read(body)
            algorithm, address, signature = _proof(message)
        except CompactError as error:
            return Reason.BAD_SIGNATURE, str(error)
        signed = _string_to_sign(message)
        for known in secrets_of(source, address):
            certificate = self.made_of(known, _certificate)
            if certificate is None or not is_valid(certificate, arrived_ms):
                continue
            key = certificate.public_key()
            if fits(key, algorithm) and verifies(key, algorithm, signature, signed):
                return self._stale(message, arrived_ms)
        return Reason.BAD_SIGNATURE, "the message is not signed by the key of its certificate"

    def _stale(self, message: _Message, arrived_ms: int) -> Fault | None:
        when = read_time(message.fields["Timestamp"])
        if when is None:
            return Reason.STALE_SIGNATURE, "the message's Timestamp is no time"
        age = arrived_ms / 1000 - when.timestamp()
        if not -300 <= age <= self.max_age_seconds:
            allowed = f"{self.max_age_seconds} s are allowed"
            return Reason.STALE_SIGNATURE, f"signed {age:.0f} s before it arrived; {allowed}"
        return None

    def address_to_visit(self, body: bytes) -> str:
        """Return where a verified confirmation of a subscription is answered.

        It is made from what is signed, the topic and its token, and not taken from the message.
        """
        try:
            message = self._read(body)
        except CompactError:
            return ""
        token = message.fields.get("Token", "")
        if message.type != _CONFIRMATION or not _TOKEN.fullmatch(token):
            return ""
        topic = quote(message.topic, safe="")
        return f"https://{message.host}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}"

    def _read(self, body: bytes) -> _Message:
        fields = strict_object(body, "the message")
        names = _SIGNED.get(fields["Type"]) if isinstance(fields.get("Type"), str) else None
        if names is None:
            raise CompactError("the message's Type is none of SNS")
        for name in (*names, "SignatureVersion", "Signature", "SigningCertURL"):
            if name in fields and not isinstance(fields[name], str):
                raise CompactError(f"the message's {name} is no text")
            if name not in fields and name != "Subject":
                raise CompactError(f"the message has no {name}")
        for name in names:
            # Else the signed lines could be read in two ways: the text of one as others.
            if name != "Message" and "\n" in fields.get(name, ""):
                raise CompactError(f"the message's {name} has more than one line")
        topic = fields["TopicArn"]
        if not self._may_send(topic):
            raise CompactError("the message's TopicArn is none of the source's topics")
        if "Token" in names and len(fields["Token"]) > _LONGEST_TOKEN:
            raise CompactError("the message's Token is too long")
        return _Message(fields["Type"], topic, host_of(topic), fields)

    def _may_send(self, topic: str) -> bool:
        name = topic.rpartition(":")[2]
        if not _NAME.fullmatch(name):
            return False
        families = [one[:-1] for one in self.topics if one.endswith("*")]
        return topic in self.topics or any(
            topic.startswith(one) and ":" not in topic[len(one) :] for one in families
        )


def _certificate(known: Sequence[bytes]) -> Any:
    from pipeline.event.proofs.keys import certificate_of

    return certificate_of(known[0]) if known else None


def host_of(topic: str) -> str:
    """Return the host of SNS in a topic's region and partition."""
    _, partition, _, region, _ = topic.split(":", 4)
    return f"sns.{region}.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}"


def _proof(message: _Message) -> tuple[str, str, bytes]:
    """Return a message's algorithm, the address of its certificate, and its signature.

    Raises
    ------
    CompactError
        When one of them is none of SNS.
    """
    fields = message.fields
    algorithm = _ALGORITHMS.get(fields["SignatureVersion"])
    if algorithm is None:
        raise CompactError("the message's SignatureVersion is neither 1 nor 2")
    address = fields["SigningCertURL"]
    host = f"https://{message.host}"
    if not address.startswith(host) or not _CERTIFICATE.fullmatch(address[len(host) :]):
        raise CompactError("the message's SigningCertURL is none of SNS in the topic's region")
    text = fields["Signature"][:_LONGEST_SIGNATURE]
    try:
        return algorithm, address, _read_signature(text)
    except ValueError:
        raise CompactError("the message's Signature is no base64") from None


def _string_to_sign(message: _Message) -> bytes:
    names = _SIGNED[message.type]
    lines = (f"{name}\n{message.fields[name]}\n" for name in names if name in message.fields)
    return "".join(lines).encode(errors="surrogatepass")
