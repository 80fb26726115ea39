"""Screens as a person has them: real commands below a terminal of 80 columns and 24 rows."""

from __future__ import annotations

import pytest

from tests.support.terminal import is_golden, screen_of


@pytest.mark.parametrize(
    ("name", "words", "status"),
    [
        ("source-list", ("source", "list"), 0),
        ("source-unknown", ("source", "show", "githob"), 1),
        ("no-pipeline", ("status", "--state", "nowhere"), 2),
        ("help-dead-letters", ("dead-letters", "--help"), 0),
    ],
)
def test_a_screen_is_what_it_was(name: str, words: tuple[str, ...], status: int) -> None:
    is_golden(f"pty-{name}", screen_of(*words, status=status))
