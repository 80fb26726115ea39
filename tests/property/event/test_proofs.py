"""Whatever a stranger writes, a proof says no, and says it in words."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.event.secrets import only
from tests.support.proving import Proving

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPIC = "arn:aws:sns:eu-central-1:123456789012:alerts"
KEY = b"4ygppSvDbrQzpfb1gxzlfVEFGWH+tjSd4GqN9XsgueI="
SOURCES: dict[str, Any] = {
    "key": {
        "authentication": {"type": "public_key", "algorithm": "ed25519", "header": "X-Sig"},
        "headers": {"keep": ["X-Sig"]},
    },
    "token": {
        "authentication": {
            "type": "jwt",
            "header": "X-Sig",
            "algorithms": ["EdDSA"],
            "body_hash": {"claim": "sha256"},
        },
        "headers": {"keep": ["X-Sig"]},
    },
    "event": {
        "authentication": {"type": "jwt", "algorithms": ["EdDSA"]},
        "body": {"format": "jwt"},
    },
    "sns": {
        "authentication": {"type": "sns", "topics": [TOPIC]},
        "content_types": ["text/plain"],
    },
    "written": {"authentication": {"type": "body_token", "path": "a.b"}},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
#: Texts that are nearly tokens, and JSON that is nearly a message.
TOKENS = st.text() | st.lists(
    st.text("eyJ0-_AZ=.", max_size=40) | st.text(max_size=10), max_size=5
).map(".".join)
MESSAGES = st.dictionaries(
    st.sampled_from(
        [
            "Type",
            "Message",
            "MessageId",
            "Subject",
            "Timestamp",
            "Token",
            "TopicArn",
            "SubscribeURL",
            "Signature",
            "SignatureVersion",
            "SigningCertURL",
            "a",
        ]
    ),
    st.sampled_from(["Notification", "SubscriptionConfirmation", TOPIC, "1", "2"]) | JSON,
).map(lambda one: json.dumps(one).encode())


@pytest.fixture(scope="module")
def proving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proving]:
    with ExitStack() as stack:
        yield Proving(tmp_path_factory.mktemp("proving"), stack, SOURCES)


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=40)
@given(
    given_text=TOKENS,
    body=st.binary() | TOKENS.map(lambda text: text.encode(errors="replace")) | MESSAGES,
)
def test_no_request_of_a_stranger_is_let_in(
    proving: Proving, name: str, given_text: str, body: bytes
) -> None:
    secret = KEY if name != "written" else b"a-secret-that-nobody-guesses"
    assert proving.fault(name, only(secret), {"X-Sig": given_text}, body, 0) is not None


@settings(max_examples=40)
@given(body=MESSAGES | st.binary())
def test_nobody_has_the_receiver_visit_another_host(proving: Proving, body: bytes) -> None:
    proof = proving.source("sns").proof_of_body
    assert proof is not None
    address = proof.address_to_visit(body)
    assert not address or address.startswith("https://sns.eu-central-1.amazonaws.com/?Action=")
