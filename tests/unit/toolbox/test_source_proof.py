"""How a sender proves who it is, in one sentence of `source show`."""

from __future__ import annotations

import pytest

from settings.source.model import Source
from tests.support.signing_senders import SENDERS
from toolbox.sources.told import proof

SAID = {
    "recurly": "HMAC-SHA256 over {timestamp}.{body}, hex, in recurly-signature, from part 2 on, at "
    "most 300 s old",
    "box": "HMAC-SHA256 over {body}{timestamp}, base64, in BOX-SIGNATURE-PRIMARY or "
    "BOX-SIGNATURE-SECONDARY, at most 600 s old",
    "linear": "HMAC-SHA256 over {body}, hex, in Linear-Signature, at most 60 s old by "
    "webhookTimestamp of the body",
    "connectwise": "HMAC-SHA256 over {body}, base64, in x-content-signature, with the secret's "
    "SHA256",
    "gitguardian": "HMAC-SHA256 over {body}, hex, in Gitguardian-Signature after 'sha256=', with "
    "the key {timestamp}{secret}, at most 300 s old",
    "ms-teams": "HMAC-SHA256 over {body}, base64, in Authorization after 'HMAC '",
}


@pytest.mark.parametrize("name", SAID)
def test_the_details_of_a_signature_are_said(name: str) -> None:
    authentication = {"type": "hmac", **SENDERS[name].authentication}
    named = [authentication["header"], *authentication.get("further_headers", [])]
    time = authentication.get("timestamp", {}).get("header")
    document = {
        "version": 1,
        "title": name,
        "authentication": authentication,
        "headers": {"keep": [*named, *([time] if time else [])]},
    }
    assert proof(Source.model_validate(document)) == SAID[name]
