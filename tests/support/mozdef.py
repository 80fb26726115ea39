"""MozDef's side of the contract, as an assertion."""

from __future__ import annotations

from typing import Any

from toolbox.sources.mozdef_contract import violations


def assert_contract(event: Any) -> None:
    """Check one message as MozDef's worker would take it."""
    assert violations(event) == []
