"""Rules on a body, beside a plain way to do the same with parsed values."""

from __future__ import annotations

import json
import re
from typing import Any
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.event import body_rules
from pipeline.event.body_rules import BodyRules
from pipeline.event.elements import members_of
from pipeline.event.index_limits import fitting
from pipeline.event.known_members import known_members
from toolbox.mozdef.index import Index

NAMES = st.sampled_from(["a", "b", "ab", "a.b", "ü", 'q"', "\\", "", ".", "a.", " "])
SCALARS = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "x", '}{"', "ü", "[1,"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=5)
PARTS = st.sampled_from(["a", "b", "ab", "*", "a*", "**", "ü", 'q"'])
PATHS = st.lists(PARTS, min_size=1, max_size=3).filter(lambda path: path[-1] != "**").map(tuple)
RULES = st.lists(
    st.tuples(
        PATHS,
        st.sampled_from(["drop", "stringify", "keep"]),
        st.just(""),
        st.sampled_from(["", "objects", "scalars"]),
    ),
    min_size=1,
    max_size=3,
).map(tuple)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """The JSON of an object, in one of the forms that senders write."""
    body = draw(BODIES)
    ascii_only, indent = draw(st.booleans()), draw(st.sampled_from([None, 1]))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]))
    return json.dumps(body, ensure_ascii=ascii_only, indent=indent, separators=separators)


def matches(path: tuple[str, ...], names: tuple[str, ...]) -> bool:
    if not path:
        return not names
    if path[0] == "**":
        return matches(path[1:], names) or bool(names and matches(path, names[1:]))
    if not names:
        return False
    start, star, stop = path[0].partition("*")
    name = names[0]
    fits = (
        len(name) >= len(start) + len(stop) and name.startswith(start) and name.endswith(stop)
        if star
        else name == path[0]
    )
    return fits and matches(path[1:], names[1:])


def has_object(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(has_object, value))
    return isinstance(value, dict)


def plainly(value: Any, plan: Any, names: tuple[str, ...] = ()) -> Any:
    """The same with parsed values; what is a text then stays parsed, in a tuple."""
    if isinstance(value, list):
        return [plainly(one, plan, names) for one in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for name, one in value.items():
        place = (*names, name)
        rule = next(
            (
                kind
                for path, kind, _, only in plan
                if matches(path, place)
                and only in {"", "objects" if has_object(one) else "scalars"}
            ),
            "",
        )
        if rule == "stringify":
            found[name] = as_texts(one)
        elif rule != "drop":
            found[name] = plainly(one, plan, place)
    return found


def as_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [as_texts(one) for one in value]
    return ("text", value) if isinstance(value, dict | bool) else value


def unpacked(value: Any, like: Any) -> Any:
    """Read the texts that were made, where there are such."""
    if isinstance(like, tuple):
        return ("text", json.loads(value))
    if isinstance(like, list):
        return [unpacked(*pair) for pair in zip(value, like, strict=True)]
    if isinstance(like, dict) and isinstance(value, dict):
        assert value.keys() == like.keys()
        return {name: unpacked(value[name], one) for name, one in like.items()}
    return value


@given(texts(), RULES)
@example('{"a":[[1],[{}]]}', ((("a",), "drop", "", "objects"),))
@example('{"a":{},"b":[]}', ((("*",), "drop", "", ""),))
def test_rules_do_what_they_would_with_parsed_values(text: str, plan: Any) -> None:
    body = json.loads(text)
    found = BodyRules(plan).applied(text.encode(), body).decode()
    expected = plainly(body, plan)
    assert unpacked(json.loads(found), expected) == expected
    if expected == body:
        assert found == text


@given(texts())
@example('{"a":{"x":1,"b":2},"b":{}}')
@example('{"a":{"x":"\\"b\\":"},"b":{}}')
@example('{"a":1,"a":{"b":1},"b":2}')
@example('{"a":{"b":1},"b":2,"a":3}')
@example('{"\\u0061":{"b":1},"b":2}')
def test_what_is_known_of_a_value_finds_the_same_members(text: str) -> None:
    raw = text.encode()
    assert known_members(raw, 0, len(raw), json.loads(text)) == list(members_of(raw, 0))


@given(texts())
def test_what_fits_has_no_name_that_is_refused(text: str) -> None:
    body = json.loads(text)
    found = fitting(text.encode(), body, strict=True).decode()
    refusal = Index().add({"details": {"own": json.loads(found)}})
    assert refusal is None or "is no name" not in refusal.why
    if found == text:
        return
    assert json.dumps(body) != json.dumps(json.loads(found))


@given(
    st.text("ab*", max_size=7).filter(lambda glob: "*" in glob),
    st.text("ab\n", max_size=9),
)
@example("a*a", "a")
@example("*ab*b", "ab")
@example("a*ba*", "aba")
@example("**", "")
def test_a_glob_matches_what_a_regular_expression_would(glob: str, name: str) -> None:
    expression = ".*".join(map(re.escape, glob.split("*")))
    body = {f"{name}!": 1}
    # Never the whole part `**`, which is for any depth.
    found = BodyRules((((f"{glob}!",), "drop", "", ""),)).applied(json.dumps(body).encode(), body)
    assert (found == b"{}") == bool(re.fullmatch(expression, name, re.DOTALL))


@given(BODIES, RULES, st.integers(1, 5))
@example({"a": {"b": [{"a": True}]}}, ((("a", "b"), "stringify", "", ""),), 18)
@example({"a": {"b": 1}}, ((("a", "b"), "drop", "", ""),), 2)
@example({"a": [{"b": 1}]}, ((("a",), "stringify", "", ""),), 2)
@example({"a": [[{"b": 1}]]}, ((("a",), "stringify", "", ""),), 2)
@example({"a": [[{"b": 1}]], "c": 1}, ((("**", "b"), "drop", "", ""), (("c",), "drop", "", "")), 3)
def test_what_is_written_whole_is_what_edits_make(body: Any, plan: Any, levels: int) -> None:
    """White space around it stays in either way."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    text = b" " + text + b"\r\n"
    rules = BodyRules(plan)
    with mock.patch.object(body_rules, "MOST_LEVELS", levels):
        written = rules.applied(text, body)
        with mock.patch.object(body_rules, "rewritten", return_value=None):
            assert written == rules.applied(text, body)
