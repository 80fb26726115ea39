"""Patterns that could hold up the functions, and patterns that senders' schemas need."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings.source.schema_patterns import slow_pattern

if TYPE_CHECKING:
    from types import FrameType

SLOW = [
    r"^(a+)+$",
    r"(a*)*b",
    r"(a|a)*$",
    r"(a|ab)*c",
    r"^(a|aa)+$",
    r"(aa?)*b",
    r"(.*a){20}",
    r"(a?){50}a{50}",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(\w*\s*)*x",
    r"(([^,]*),?)*$",
    r"(a{1,50}){1,50}b",
    r"(?=(a+)+$)x",
    r"((ab)*)*c",
    r"(a*?)*?b",
    r"(a+)\1*\1*b",
    r"(.|\n)*x",
    r"(?i:(aa|AA))*b",
    r"a*a*a*b",
    r".*.*.*=",
    r"^\s*a*\s*a?\s*$",
    r"x" * 3_000,
    r"(",
    r"[z-a]",
    r"a{99999999999999999999}",
]
SOUND = [
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})$",
    r"^([0-9]{1,3}\.){3}[0-9]{1,3}$",
    r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    r"^arn:aws:[a-z0-9]+:[a-z0-9-]*:\d{12}:.*$",
    r"^[^@]+@[^@]+\.[a-z]+$",
    r"^[a-z0-9.-]+\.[a-z]{2,}$",
    r"^(push|pull_request|issues)$",
    r"^(foo|bar)*$",
    r"^(/[a-z])*$",
    r"^.*error.*$",
    r"^https?://",
    r"^\S+$",
    r"^$",
    "",
]


@pytest.mark.parametrize("pattern", SLOW)
def test_a_slow_pattern_is_refused(pattern: str) -> None:
    said = slow_pattern(pattern)
    assert said is not None
    assert "\n" not in said


@pytest.mark.parametrize("pattern", SOUND)
def test_a_sound_pattern_is_not(pattern: str) -> None:
    assert slow_pattern(pattern) is None


_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\d", "ab"])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeats = st.sampled_from(["*", "+", "?", "*?", "{2}", "{1,3}", "{0,20}", "{5,}"])
    return st.one_of(
        st.builds("({}){}".format, inner, repeats),
        st.builds("{}{}".format, inner, inner),
        st.builds("({}|{})".format, inner, inner),
        st.builds("{}{}".format, _ATOMS, repeats),
    )


class TooSlowError(Exception):
    """A pattern took far longer than the square of its text's length allows."""


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise TooSlowError


@given(st.recursive(_ATOMS, _larger, max_leaves=8), st.sampled_from(["$", "=", "c"]))
def test_no_pattern_that_is_let_through_takes_a_time_that_doubles(pattern: str, end: str) -> None:
    """The other side is the engine itself, on texts that nearly fit: 200 characters take moments.

    A time that doubles with each character would not end at all; `re` looks for signals meanwhile.
    """
    whole = f"^{pattern}{end}"
    if slow_pattern(whole) is not None:
        return
    compiled = re.compile(whole)
    before = signal.signal(signal.SIGALRM, _too_slow)
    signal.alarm(60)
    try:
        for text in ("a" * 200 + "!", "b" * 200 + "!", "ab" * 100 + "!", "aab" * 66 + "!"):
            compiled.search(text)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
