"""A signature is compared in constant time: nothing else decides whether it fits."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import pytest

from pipeline.event.outcomes import Reason
from pipeline.event.signatures import find_fault

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

SECRETS = [[b"current", b"previous"], [b"next", b"current"]]
BODY = b"{}"


def signed(secret: bytes) -> str:
    return "sha256=" + hmac.new(secret, BODY, "sha256").hexdigest()


def fault(catalog: Catalog, signature: str) -> Reason | None:
    headers = {"x-hub-signature-256": signature}
    found = find_fault(catalog.sources["github"], lambda *_: SECRETS, headers, BODY, 0)
    return None if found is None else found[0]


@pytest.mark.parametrize("says", [True, False])
def test_compare_digest_alone_decides(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, says: bool
) -> None:
    monkeypatch.setattr(hmac, "compare_digest", lambda _one, _other: says)
    for signature in (signed(b"current"), signed(b"forged")):
        assert fault(catalog, signature) == (None if says else Reason.BAD_SIGNATURE)


def test_each_known_secret_is_compared_whichever_fits(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert fault(catalog, signed(b"current")) is None
    assert compared == [hmac.digest(one, BODY, "sha256") for one in (b"current", b"previous")]
