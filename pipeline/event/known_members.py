"""Finds the members of an object in its text by what is known of them: its parsed value.

A parser reads a value some ten times as fast as brackets and strings can be followed here. So the
end of a container is guessed, where the next key is, and the guess is right if a parser takes what
lies between: no value of JSON is the beginning of another one, but for numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.elements import members_of, value_end

if TYPE_CHECKING:
    from pipeline.event.elements import Member

#: In bytes: what is parsed a second time takes memory a second time.
_LARGEST = 65_536
#: How many guesses of one object may be wrong, so that the time grows with the bytes.
_WRONG = 4
_SPACE = b" \t\n\r"


class _GuessError(Exception):
    pass


def known_members(text: bytes, start: int, end: int, value: Any) -> list[Member]:
    """Return the members of the object that lies between two places of a text.

    Parameters
    ----------
    value : Any
        The object, parsed; None where that is not known.
    """
    if value and isinstance(value, dict) and end - start <= _LARGEST:
        try:
            return _guessed(text, start, end, value)
        except (_GuessError, UnicodeEncodeError):
            pass
    return list(members_of(text, start))


def _guessed(text: bytes, start: int, end: int, value: dict[str, Any]) -> list[Member]:
    found: list[Member] = []
    names = [f'"{name}"'.encode() for name in value]
    at, wrong, compact = _past_space(text, start + 1), 0, True
    for inner, name, following in zip(value.values(), names, [*names[1:], b""], strict=True):
        key_end = at + len(name)
        if not text.startswith(name, at):
            raise _GuessError  # It is spelled otherwise, or one is there twice.
        begin = _past_space(text, key_end)
        if text[begin : begin + 1] != b":":
            raise _GuessError
        begin = _past_space(text, begin + 1)
        if text[begin] in b"{[":
            stop = _end_as_written(text, begin, inner) if compact else 0
            if not stop:
                compact = False
                stop, more = _container_end(text, begin, end, following, _WRONG - wrong)
                wrong += more
        else:
            stop = value_end(text, begin)
        found.append((at, key_end, begin, stop))
        at = _past_space(text, stop)
        if following:
            if text[at : at + 1] != b",":
                raise _GuessError
            at = _past_space(text, at + 1)
    if at != end - 1:
        raise _GuessError
    return found


def _end_as_written(text: bytes, begin: int, value: Any) -> int:
    """Return where a container ends that is as we would write it, as many senders do; or 0.

    That is quicker than a guess, and needs none: a container's bytes say where it ends.
    """
    try:
        made = orjson.dumps(value)
    except TypeError:
        return 0
    return begin + len(made) if text.startswith(made, begin) else 0


def _container_end(
    text: bytes, begin: int, end: int, following: bytes, tries: int
) -> tuple[int, int]:
    """Return where a container ends, and how many guesses were wrong."""
    guess, view = begin, memoryview(text)
    for wrong in range(tries):
        guess = text.find(following, guess + 1, end) if following else end - 1
        if guess < 0:
            break
        stop = _before_space(text, guess)
        if following:
            stop = _before_space(text, stop - 1)  # a comma
        try:
            orjson.loads(view[begin:stop])
        except orjson.JSONDecodeError:
            if not following:
                break
        else:
            return stop, wrong
    return value_end(text, begin), tries


def _before_space(text: bytes, at: int) -> int:
    while text[at - 1] in _SPACE:
        at -= 1
    return at


def _past_space(text: bytes, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at
