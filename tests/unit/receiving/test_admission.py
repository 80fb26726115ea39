"""A token is compared in constant time, with each secret that is known."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import pytest

from pipeline.receiving.admission import has_token
from pipeline.runtime.secret_store import REFRESH_AFTER_SECONDS, SecretStore
from tests.support.clock import FakeClock
from tests.support.fakes import FakeSsm

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

NAME = "/P/generic/dev/auth_token"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ssm() -> FakeSsm:
    return FakeSsm({NAME: "current\nprevious"})


@pytest.fixture
def store(ssm: FakeSsm, clock: FakeClock) -> SecretStore:
    return SecretStore(ssm, "P", "dev", clock)


@pytest.mark.parametrize("says", [True, False])
@pytest.mark.parametrize("token", ["current", "forged"])
def test_compare_digest_alone_decides(
    catalog: Catalog, store: SecretStore, monkeypatch: pytest.MonkeyPatch, token: str, says: bool
) -> None:
    monkeypatch.setattr(hmac, "compare_digest", lambda _one, _other: says)
    assert has_token(catalog.sources["generic"], store, token) is says


def test_each_known_secret_is_compared_whichever_fits(
    catalog: Catalog, store: SecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert has_token(catalog.sources["generic"], store, "current")
    assert compared == [b"current", b"previous"]


def test_a_retired_token_is_not_valid_for_ever(
    catalog: Catalog, store: SecretStore, ssm: FakeSsm, clock: FakeClock
) -> None:
    generic = catalog.sources["generic"]
    assert has_token(generic, store, "previous")
    ssm.parameters[NAME] = "next\ncurrent"
    clock.advance(REFRESH_AFTER_SECONDS)
    assert has_token(generic, store, "next"), "a token that does not fit makes the store look again"
    assert has_token(generic, store, "current")
    assert not has_token(generic, store, "previous")


def test_a_token_that_no_utf8_can_hold_is_a_wrong_one(catalog: Catalog, store: SecretStore) -> None:
    assert not has_token(catalog.sources["generic"], store, "curr\udc80ent")
