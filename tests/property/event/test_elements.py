"""Taking a list apart by its bytes finds what a parser finds, whatever else is in the text."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.event.elements import ElementsError, long_strings, take_apart

TEXT = st.text('ab"\\/[]{},: \t\u00e9\u2028\ud83d\U0001f600', max_size=8)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: "), ("\r\n,", " :")])


def written(document: Any, separators: tuple[str, str], *, ascii_only: bool) -> bytes:
    text = json.dumps(document, separators=separators, ensure_ascii=ascii_only)
    return text.encode(errors="surrogatepass")


@given(st.lists(VALUES, max_size=6), VALUES, SEPARATORS, st.booleans())
def test_each_element_is_what_a_parser_finds(
    elements: list[Any], other: Any, separators: tuple[str, str], ascii_only: bool
) -> None:
    document = {"x": other, "data": {"before": other, "events": elements, "after": [other]}}
    text = written(document, separators, ascii_only=ascii_only)
    found = take_apart(text, ("data", "events"))
    assert found is not None
    assert [json.loads(one) for one in found.elements] == elements
    assert json.loads(found.frame) == {**document, "data": {**document["data"], "events": []}}
    # Nothing but commas and white space is left when elements and frame are taken away.
    rest = len(text) - len(found.frame) - sum(map(len, found.elements))
    assert rest == 0 if len(elements) < 2 else rest >= len(elements) - 1


def strings_of(value: Any) -> list[str]:
    """Every string of a document, keys among them, in its order."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [one for each in value for one in strings_of(each)]
    pairs = value.items() if isinstance(value, dict) else ()
    return [one for pair in pairs for each in pair for one in strings_of(each)]


@given(VALUES, SEPARATORS, st.booleans(), st.integers(0, 40))
@example(["a", 10**60, "b"], (",", ":"), True, 40)
@example(["\\" * 21], (",", ":"), True, 40)
@example(['\\"' * 21], (",", ":"), True, 40)
@example(["", "a" * 41, ""], (",", ":"), True, 40)
def test_long_strings_are_those_of_a_parser(
    document: Any, separators: tuple[str, str], ascii_only: bool, longest: int
) -> None:
    text = written(document, separators, ascii_only=ascii_only)
    found = [text[begin:end] for begin, end in long_strings(text, longest)]
    every = [written(one, separators, ascii_only=ascii_only) for one in strings_of(document)]
    assert found == [one for one in every if len(one) - 2 > longest]


@given(st.lists(VALUES, max_size=6))
def test_the_text_itself_can_be_the_list(elements: list[Any]) -> None:
    found = take_apart(json.dumps(elements, indent=1).encode(), ())
    assert found is not None
    assert [json.loads(one) for one in found.elements] == elements


@given(VALUES, st.lists(TEXT, min_size=1, max_size=3).map(tuple))
def test_where_a_parser_finds_no_list_none_is_found(document: Any, path: tuple[str, ...]) -> None:
    value = document
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, list) or isinstance(document, list):
        return
    assert take_apart(json.dumps(document).encode(), path) is None


@given(st.binary(max_size=60) | st.text('[]{}",:\\a1 ', max_size=60).map(str.encode))
def test_hostile_bytes_are_refused_or_taken_apart(text: bytes) -> None:
    """What a parser takes is taken apart as it does; what it refuses, it refuses in a part."""
    try:
        expected = orjson.loads(text)
    except orjson.JSONDecodeError:
        expected = None
    try:
        found = take_apart(text, ())
    except ElementsError:
        assert not isinstance(expected, list)
        return
    if isinstance(expected, list):
        assert found is not None
        assert [orjson.loads(one) for one in found.elements] == expected


def test_the_last_of_two_members_with_one_name_counts_as_parsers_have_it() -> None:
    text = b'{"e":[1],"\\u0065":[2,3]}'
    found = take_apart(text, ("e",))
    assert found is not None
    assert found.elements == [b"2", b"3"]
    assert orjson.loads(text)["e"] == [2, 3]


@pytest.mark.parametrize(
    "text",
    [b"[1", b"[1,]", b"[,]", b'["a" "b"]', b'["', b'[{"a":[}', b"[[[", b'[{"a"', b"[1:2]", b'["\\'],
)
def test_what_makes_no_sense_is_said(text: bytes) -> None:
    with pytest.raises(ElementsError, match="byte"):
        take_apart(text, ())


@pytest.mark.parametrize("deep", [255, 1_100, 50_000])
def test_an_element_may_be_as_deep_as_it_likes(deep: int) -> None:
    nested = b"[" * deep + b"]" * deep
    found = take_apart(b'{"e":[{"a":' + nested + b'},{"b":1}]}', ("e",))
    assert found is not None
    assert found.elements == [b'{"a":' + nested + b"}", b'{"b":1}']
