"""Bodies of any content, written by other programs, and read as they were meant."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

import urllib3
from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.bodies.body_form import BodyForm, Unwrapping
from pipeline.event.json_text import BodyError

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NAME = TEXT.filter(lambda name: not any(sign in name for sign in '\r\n"\\'))
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def form(kind: str, *unwrap: Unwrapping) -> BodyForm:
    return BodyForm(format=kind, lists=(), unwrap=unwrap, event=None)


@given(st.dictionaries(TEXT, TEXT, min_size=1, max_size=8))
def test_a_form_is_what_was_written(fields: dict[str, str]) -> None:
    body = urlencode(fields).encode()
    assert json.loads(form("form").json_in(body)) == fields


@given(st.dictionaries(NAME, TEXT, min_size=1, max_size=8))
def test_a_multipart_form_is_what_was_written(fields: dict[str, str]) -> None:
    body, _ = urllib3.encode_multipart_formdata(fields)
    assert json.loads(form("multipart").json_in(body)) == fields


@given(st.lists(VALUE, min_size=1, max_size=8), st.booleans())
def test_lines_are_what_was_written(values: list[Any], ascii_only: bool) -> None:
    lines = [json.dumps(one, ensure_ascii=ascii_only) for one in values]
    if not lines[0].startswith("["):  # a list in the place of lines
        assert json.loads(form("ndjson").json_in("\n".join(lines).encode())) == values


@given(VALUE, VALUE, TEXT)
def test_json_in_a_text_is_that_json(inner: Any, beside: Any, key: str) -> None:
    text = json.dumps({key: beside, "data": [{"x": json.dumps(inner)}, {"y": beside}]})
    unwrap = Unwrapping(path=("data", "x"), encoding="text", format="json", keeps=False)
    expected = {key: beside, "data": [{"x": inner}, {"y": beside}]}
    assert json.loads(form("json", unwrap).json_in(text.encode())) == expected


@given(st.text(st.characters(exclude_categories=["C"]), max_size=20))
def test_a_text_in_xml_is_that_text(text: str) -> None:
    body = f"<a><b>{escape(text)}</b></a>".encode()
    assert json.loads(form("xml").json_in(body)) == {"a": {"b": text.strip() or None}}


@given(
    st.sampled_from(["json", "ndjson", "form", "multipart", "xml"]),
    st.binary(max_size=60)
    | st.text("<>a/!-[]{}\"':,&=%?x\r\n", max_size=60).map(str.encode)
    | st.binary(max_size=30).map(
        lambda tail: b'--x\r\nContent-Disposition: form-data; name="' + tail
    ),
)
def test_anything_is_read_or_refused(kind: str, body: bytes) -> None:
    unwrap = Unwrapping(path=("a",), encoding="base64", format="xml", keeps=True)
    for one in (form(kind), form(kind, unwrap)):
        try:
            one.json_in(body)
        except BodyError:
            continue
