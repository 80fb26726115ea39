"""Which bytes of a body are changed, to see that a sender's proof covers them."""

from __future__ import annotations

import pytest

from settings.source.loader import CATALOG, load_source
from tests.senders.table import FOLDER
from toolbox.sources.checking_proofs import covered_places


@pytest.mark.parametrize(
    ("sender", "body", "covered"),
    [
        ("calendly", b"{1234}", [0, 3, 5]),
        ("calendly", b"", []),
        ("fal-ai", b"{1234}", [0, 3, 5]),
        ("plivo", b"a=1&b=2", [0, 3, 6]),
        ("vonage", b"{1234}", [0, 3, 5]),
        # Two fields of the body are signed, and nothing else in it.
        ("mailgun", b'{"signature": {"timestamp": "17", "token":"ab"}, "x": 1}', [29, 43]),
        ("lever", b'{"token":"ab","triggeredAt":17,"data":{}}', [10, 28]),
        ("aws-sns", b'{"Message" : "hello","Subject":"x"}', [14]),
        # Nothing of the body is proved.
        ("monday", b"{1234}", []),
        ("figma", b'{"passcode":"x"}', []),
        ("huggingface", b"{1234}", []),
    ],
)
def test_what_is_changed_is_what_the_sender_proves(
    sender: str, body: bytes, covered: list[int]
) -> None:
    built_in = CATALOG / sender
    folder = built_in if built_in.exists() else FOLDER / sender
    assert covered_places(load_source(folder), body) == covered
