"""The benchmark of proofs checks sound requests, and says when one is none."""

from __future__ import annotations

import pytest

from loadtests.bench import proofs
from loadtests.bench.measuring import WorkError


def test_each_kind_has_a_figure() -> None:
    found = proofs.run(rounds=1, times=1)
    assert found["proofs_us"].keys() == proofs._SOURCES.keys()
    assert all(us > 0 for us in found["proofs_us"].values())
    assert found["proofs_loaded_ms"]["cryptography"] > 0


def test_a_request_that_is_not_proved_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "_BODY", b"{}")
    with pytest.raises(WorkError, match="body-token: an event has no token at token"):
        proofs.run(rounds=1, times=1)
