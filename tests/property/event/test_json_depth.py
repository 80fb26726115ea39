"""The quick ways to see that a text is not too deep say what following its brackets says."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.event import json_text
from pipeline.event.elements import depth_of
from pipeline.event.json_text import TooDeepError, containers_in, read_json

DEEPEST = 4
VALUES = st.recursive(
    st.sampled_from([1, "x", "[[", "}{\\"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=12,
)


def _nested(levels: int) -> list[object]:
    return [_nested(levels - 1)] if levels > 1 else []


@given(VALUES, VALUES)
@example(_nested(DEEPEST - 1), 1)
@example(_nested(DEEPEST), 1)
@example(1, [_nested(2)] * 9)
@example(1, [_nested(DEEPEST - 2), _nested(DEEPEST)] * 5)
def test_a_text_is_too_deep_where_its_brackets_say_so(hidden: object, shown: object) -> None:
    # Parsed, the first value is not there; MozDef's parser goes through it all the same.
    text = b'{"a":%b,"a":%b}' % (orjson.dumps(hidden), orjson.dumps(shown))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "DEEPEST", DEEPEST)
        patch.setattr(json_text, "_LISTS", b"[" * (1_024 - DEEPEST))
        patch.setattr(json_text, "_ENDS", b"]" * (1_024 - DEEPEST))
        patch.setattr(json_text, "_FEW", 3)
        if containers_in(text) > DEEPEST and depth_of(text) > DEEPEST:
            with pytest.raises(TooDeepError):
                read_json(text)
        else:
            assert read_json(text)[0] == text


def test_most_texts_are_told_by_their_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "_fits_below", lambda _: pytest.fail("it is parsed again"))
    read_json(orjson.dumps({"a": {"b": [{"c": 1}] * 1_000}, "d": [1]}))
    monkeypatch.undo()
    monkeypatch.setattr(json_text, "depth_of", lambda _: pytest.fail("its brackets are followed"))
    read_json(orjson.dumps({"a": [{"b": "{", "c": {}}] * 1_000}))
