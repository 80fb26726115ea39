"""A group that gives nothing back, written in both ways, against a reader by hand."""

from __future__ import annotations

import json
import re

import pytest

from pipeline.event.elements import depth_of, members_of
from pipeline.event.possessive import SOUND, possessive

#: What Python 3.11.2 matches wrongly by a possessive group: escapes, and strings one after another.
TEXTS = [rb'"a\"b" tail', rb'"\\" tail', rb'"a\\\"b\n\u00e9" tail', rb'"" tail', rb'"no end\"']


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("sound", [False, *([True] if SOUND else [])])
def test_a_string_ends_where_a_parser_ends_it(text: bytes, sound: bool) -> None:
    string = rb'"[^"\\]*+' + possessive(rb'\\.[^"\\]*+', sound=sound) + rb'"'
    found = re.match(string, text)
    try:
        _, end = json.JSONDecoder().raw_decode(text.decode())
    except ValueError:
        assert found is None
    else:
        assert found is not None
        assert found.end() == end


def test_nothing_is_given_back() -> None:
    for sound in {False, SOUND}:
        assert re.match(possessive(b"ab", sound=sound) + b"abc", b"ababc") is None
        assert re.fullmatch(possessive(b"ab", b"{1,2}", sound=sound), b"abab")


def test_members_and_depth_are_right_in_this_python() -> None:
    text = rb'{"a\"b":"c\\","d":[{"e":"}]"}],"f":"\\\""}'
    names = [json.loads(text[begin:end]) for begin, end, _, _ in members_of(text, 0)]
    assert names == ['a"b', "d", "f"]
    assert depth_of(text) == 3
