"""The signature schemes of the catalogue, written from the senders' documentation.

Nothing here uses the code that it tests.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from pipeline.event.signatures import find_fault
from pipeline.runtime.secret_store import SecretStore
from tests.support.fakes import FakeSsm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.event.compiled_source import Catalog, CompiledSource
    from pipeline.event.outcomes import Reason

TIME = "1795464503"
ARRIVED_MS = 1_795_464_503_123
BODY = '{"text":"Größe 金額"}'.encode()


def hexed(secret: bytes, signed: bytes) -> str:
    return hmac.new(secret, signed, hashlib.sha256).hexdigest()


def based(secret: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


# Each scheme once more, from the sender's documentation and with nothing of the pipeline's code:
# the secret as the sender shows it, the key that it makes, and the headers of a request.
HEX_KEY = b"0f3c-Example-Key"
SECRETS: dict[str, tuple[str, bytes]] = {
    "standard-webhooks": ("whsec_" + base64.b64encode(HEX_KEY).decode(), HEX_KEY),
    "stripe": ("whsec_0f3cExampleKey", b"whsec_0f3cExampleKey"),
}
SCHEMES: dict[str, Callable[[bytes, bytes], dict[str, str]]] = {
    "bitbucket": lambda key, body: {"x-hub-signature": f"sha256={hexed(key, body)}"},
    "generic-hmac": lambda key, body: {
        "x-timestamp": TIME,
        "x-signature": hexed(key, f"{TIME}.".encode() + body),
    },
    "github": lambda key, body: {"x-hub-signature-256": f"sha256={hexed(key, body)}"},
    "pagerduty": lambda key, body: {"x-pagerduty-signature": f"v1={hexed(key, body)}"},
    "slack": lambda key, body: {
        "x-slack-request-timestamp": TIME,
        "x-slack-signature": f"v0={hexed(key, f'v0:{TIME}:'.encode() + body)}",
    },
    "standard-webhooks": lambda key, body: {
        "webhook-id": "msg_1",
        "webhook-timestamp": TIME,
        "webhook-signature": f"v1,{based(key, f'msg_1.{TIME}.'.encode() + body)}",
    },
    "stripe": lambda key, body: {
        "stripe-signature": f"t={TIME},v1={hexed(key, f'{TIME}.'.encode() + body)}"
    },
    "zoom": lambda key, body: {
        "x-zm-request-timestamp": TIME,
        "x-zm-signature": f"v0={hexed(key, f'v0:{TIME}:'.encode() + body)}",
    },
}
NAMES = sorted(SCHEMES)
TIMED = sorted(set(NAMES) - {"bitbucket", "github", "pagerduty"})
LISTED = ["pagerduty", "standard-webhooks", "stripe"]


def secret_of(name: str) -> tuple[str, bytes]:
    return SECRETS.get(name, (HEX_KEY.decode(), HEX_KEY))


def vector(catalog: Catalog, name: str) -> tuple[CompiledSource, str, str, dict[str, str]]:
    """A source, its parameter, the signature's header and the headers of a good request."""
    source = catalog.sources[name]
    parameter, key = secret_of(name)
    assert source.signature is not None
    return source, parameter, source.signature.header, SCHEMES[name](key, BODY)


def fault(
    source: CompiledSource,
    parameter: str,
    headers: Mapping[str, str],
    body: bytes = BODY,
    arrived_ms: int = ARRIVED_MS,
) -> Reason | None:
    """What the pipeline says of a request, with this value in the source's parameter."""
    ssm = FakeSsm({f"/P/{source.name}/dev/{source.secret_kind}": parameter})
    found = find_fault(source, SecretStore(ssm, "P", "dev").of, headers, body, arrived_ms)
    return found[0] if found else None
