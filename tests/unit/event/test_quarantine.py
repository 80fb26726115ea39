"""What a stranger can cause goes into quarantine, which makes no ticket and wakes nobody."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.event.compiled_source import Signature
from pipeline.event.outcomes import QUARANTINED, Reason
from pipeline.event.secrets import only
from pipeline.event.signatures import find_fault
from settings.source.authentication import HmacAuthentication, SignatureTimestamp
from settings.source.filling import compiled_as

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

SIGNED_AT = 1_000_000


def captured(secret: bytes) -> dict[str, str]:
    """The headers of a request that was signed at that time."""
    signature = hmac.new(secret, b"%d:{}" % SIGNED_AT, "sha256").hexdigest()
    return {"x-sig": signature, "x-time": str(SIGNED_AT)}


@pytest.mark.parametrize(
    ("headers", "age", "reason"),
    [
        ({}, 0, Reason.BAD_SIGNATURE),
        ({"x-sig": "forged", "x-time": str(SIGNED_AT)}, 0, Reason.BAD_SIGNATURE),
        (captured(b"guessed"), 0, Reason.BAD_SIGNATURE),
        (captured(b"right"), 300.001, Reason.STALE_SIGNATURE),
        (captured(b"right"), 86_400, Reason.STALE_SIGNATURE),
        (captured(b"right"), -300.001, Reason.STALE_SIGNATURE),
        (captured(b"right"), 300, None),
        (captured(b"right"), -300, None),
    ],
)
def test_a_forged_request_and_one_that_is_sent_again_are_quarantined(
    catalog: Catalog, headers: dict[str, str], age: float, reason: Reason | None
) -> None:
    settings = compiled_as(
        Signature,
        HmacAuthentication(
            type="hmac",
            header="X-Sig",
            signed="{timestamp}:{body}",
            timestamp=SignatureTimestamp(header="X-Time", tolerance_seconds=300),
        ),
    )
    source = replace(catalog.sources["github"], signature=settings)
    arrived_ms = round((SIGNED_AT + age) * 1000)
    fault = find_fault(source, only(b"right"), headers, b"{}", arrived_ms)
    assert (None if fault is None else fault[0]) == reason
    assert fault is None or fault[0] in QUARANTINED


def test_what_needs_an_operator_is_not_quarantined() -> None:
    for reason in (Reason.SCHEMA_VIOLATION, Reason.PROCESSING_ERROR, Reason.TOO_LARGE):
        assert reason not in QUARANTINED
