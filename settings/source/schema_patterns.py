"""Refuses patterns whose time grows out of bounds with the text that they are tried on.

Python's `re` tries every way in which a pattern can fit before it says that none does. Where a
repeat stands in a repeat, `^(a+)+$`, the ways double with each character. So a schema may not
hold a pattern in which

- a repeat holds what can fit in several lengths, unless there are few ways in all;
- a repeat holds alternatives of which two can begin alike;
- more than two repeats without a bound can share the characters of one text, `a*a*a*`.

What is left takes, at worst, a time that grows with the square of a text's length.
"""

from __future__ import annotations

import re
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_WAYS = 1_000
_MOST_SHARING = 2
_UNBOUNDED = 1_000
"""A repeat of so many is as good as one without an end."""
_LONGEST = 2_000
_ALL = frozenset(range(129))
"""ASCII, and one number that stands for every other character."""
_OTHER = 128
_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT)
_CATEGORIES = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}


def slow_pattern(pattern: str) -> str | None:
    """Say what is wrong with a pattern; None for one that is sound.

    Parameters
    ----------
    pattern : str
        As Python reads it. One that is none, or is too large, is wrong as well.
    """
    if len(pattern) > _LONGEST:
        return f"a pattern has {_LONGEST:,} characters or less"
    try:
        parsed = _parser.parse(pattern)
        return next(_slow(parsed), None)
    except (re.error, OverflowError) as error:
        return f"the pattern cannot be compiled: {error}"
    except RecursionError:
        return "nested too deep"


def _slow(parsed: Sequence[Any]) -> Iterator[str]:
    yield from _nested(parsed)
    sharing = _most_sharing([*_flat(parsed)])
    if sharing > _MOST_SHARING:
        yield (
            f"{sharing} repeats without a bound can share the same characters, so its time grows "
            "out of bounds; put between them what neither of them takes, or give them bounds"
        )


def _nested(parsed: Sequence[Any]) -> Iterator[str]:
    for code, value in parsed:
        if code in _REPEATS and value[1] > 1:
            ways = _ways(value[2])
            if ways > 1 and min(value[1], _UNBOUNDED) * _log2(ways) > _log2(_MOST_WAYS):
                yield (
                    "a repeat in a repeat, or in one an alternative of several lengths: its time "
                    "doubles with each character of a text; write the repeat once"
                )
            if _branches_alike(value[2]):
                yield (
                    "a repeat of alternatives that can begin alike: its time doubles with each "
                    "character of a text; write their beginning once"
                )
        for part in _parts(code, value):
            yield from _nested(part)


def _log2(number: int) -> float:
    return float(number.bit_length() - 1) + (0.0 if number & (number - 1) == 0 else 0.6)


def _ways(parsed: Sequence[Any]) -> int:
    """Return in how many lengths a sequence can fit, as a product over its parts."""
    product = 1
    for code, value in parsed:
        if code in _REPEATS:
            least, most, body = value
            span = min(int(most), _UNBOUNDED) - min(int(least), _UNBOUNDED) + 1
            product *= max(span, 1) * _ways(body) ** min(int(most), 10)
        elif code is sre.GROUPREF:
            product *= _UNBOUNDED
        elif code is sre.BRANCH:
            widths = {part.getwidth() for part in value[1]}
            product *= len(widths) * max(_ways(part) for part in value[1])
        else:
            for part in _parts(code, value):
                product *= _ways(part)
        product = min(product, 1 << 64)
    return product


def _branches_alike(parsed: Sequence[Any]) -> bool:
    for code, value in parsed:
        if code is sre.BRANCH:
            firsts = [_folded(_first(part)) for part in value[1]]
            if sum(map(len, firsts)) > len(frozenset().union(*firsts)):
                return True
        if any(_branches_alike(part) for part in _parts(code, value)):
            return True
    return False


def _folded(found: frozenset[int]) -> frozenset[int]:
    """Take capitals for small letters: a flag in the pattern may do the same."""
    return frozenset(ord(chr(one).lower()) if one < _OTHER else one for one in found)


def _first(parsed: Sequence[Any]) -> frozenset[int]:
    """Return the characters that a sequence can begin with; all where it can be empty."""
    for code, value in parsed:
        if code is sre.AT:
            continue
        if code in {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN}:
            return _set(code, value)
        if code is sre.SUBPATTERN:
            return _first(value[3])
        break
    return _ALL


def _parts(code: Any, value: Any) -> list[Sequence[Any]]:
    """Return the sequences inside of one part of a pattern."""
    if code in _REPEATS or code is sre.POSSESSIVE_REPEAT:
        return [value[2]]
    if code is sre.SUBPATTERN:
        return [value[3]]
    if code is sre.BRANCH:
        return list(value[1])
    if code in {sre.ASSERT, sre.ASSERT_NOT}:
        return [value[1]]
    if code is sre.ATOMIC_GROUP:
        return [value]
    if code is sre.GROUPREF_EXISTS:
        return [part for part in value[1:] if part is not None]
    return []


def _flat(parsed: Sequence[Any]) -> Iterator[tuple[frozenset[int], bool, bool]]:
    """Return what follows one another: characters, whether without a bound, whether optional."""
    for code, value in parsed:
        if code in _REPEATS:
            least, most, body = value
            if most > _UNBOUNDED:
                yield _union(body), True, least == 0
            else:
                for one, endless, optional in _flat(body):
                    yield one, endless, optional or least == 0
        elif code is sre.BRANCH:
            yield from _flat_branch(value[1])
        elif code in {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN}:
            yield _set(code, value), False, False
        elif code is sre.GROUPREF:
            yield _ALL, True, True
        else:
            for part in _parts(code, value):
                yield from _flat(part)


def _flat_branch(parts: Sequence[Sequence[Any]]) -> Iterator[tuple[frozenset[int], bool, bool]]:
    """Take the worst of the alternatives for all of them."""
    flat = [[*_flat(part)] for part in parts]
    endless = max(flat, key=_most_sharing)
    for one, without_end, _ in endless:
        yield one, without_end, True


def _most_sharing(parts: Sequence[tuple[frozenset[int], bool, bool]]) -> int:
    """Return how many repeats without a bound can divide one text among them."""
    most = 0
    for start, (shared, endless, _) in enumerate(parts):
        if not endless:
            continue
        count, common = 1, shared
        for one, also_endless, optional in parts[start + 1 :]:
            both = common & one
            if not both:
                if optional:
                    continue
                break
            if also_endless:
                count += 1
                common = both
            elif not optional:
                common = common if one >= common else both
        most = max(most, count)
    return most


def _union(parsed: Sequence[Any]) -> frozenset[int]:
    found: frozenset[int] = frozenset()
    for code, value in parsed:
        if code in {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN}:
            found |= _set(code, value)
        elif code is sre.GROUPREF:
            found |= _ALL
        for part in _parts(code, value):
            found |= _union(part)
    return found


def _set(code: Any, value: Any) -> frozenset[int]:
    if code is sre.ANY:
        return _ALL
    if code is sre.LITERAL:
        return frozenset({min(value, _OTHER)})
    if code is sre.NOT_LITERAL:
        return _ALL - (frozenset({value}) if value < _OTHER else frozenset())
    found: frozenset[int] = frozenset()
    negated = False
    for kind, what in value:
        if kind is sre.NEGATE:
            negated = True
        elif kind is sre.LITERAL:
            found |= {min(what, _OTHER)}
        elif kind is sre.RANGE:
            found |= frozenset(range(min(what[0], _OTHER), min(what[1], _OTHER) + 1))
        elif kind is sre.CATEGORY:
            fits = re.compile(_CATEGORIES[what])
            found |= {one for one in range(_OTHER) if fits.match(chr(one))} | {_OTHER}
    return (_ALL - found) | {_OTHER} if negated else found
