"""What the engine adds to Velocity: loud errors, the values of API Gateway, its variables."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.gateway.exchange import ContextObject, Exchange, extended_request_id
from local.gateway.model import Api
from local.gateway.variables import InputObject, UtilObject
from local.vtl import VtlError, VtlTemplate, to_text

API = Api("api", "000000000000", "us-west-2", "dev", binary=False, routes=())
UTIL = UtilObject()


def exchange(**changes: Any) -> Exchange:
    fields: dict[str, Any] = {
        "api": API,
        "http_method": "POST",
        "path": "/x",
        "headers": [],
        "query": [],
        "source_ip": "192.0.2.1",
    }
    return Exchange(**{**fields, **changes})


def render(template: str, body: str = "", **variables: Any) -> str:
    request = exchange()
    return VtlTemplate(template, "test").render({
        "input": InputObject(request, body),
        "util": UTIL,
        "context": ContextObject(request),
        **variables,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("a\nb $s.frobnicate('x')", r"template test, line 2, at .*a string has no method frob"),
        ("$m.keys()", "a map has no method keys()"),
        ("$l.push(1)", "a list has no method push()"),
        ("$n.abs()", "a number has no method abs()"),
        ("$util.toJson($m)", r"\$util has no method toJson()"),
        ("$input.form", r"\$input has no property 'form'"),
        ("$context.requestid", r"\$context has no variable 'requestid'.*requestId"),
        ("$context.identity.sourceIP", "identity has no property 'sourceIP'"),
        ("#set($context.stage = 'x')", r"'stage' of \$context cannot be set"),
        ("$s.length", "has no property 'length'"),
        ("$s.contains(1)", "contains"),
        ("$s.contains()", "contains"),
        ("#if($s)x", "expected #end of the #if"),
        ("x#end", "#end without its beginning"),
        ("#foreach($x in $s)#end", "takes a list or a map"),
        ("#set($x = )", "expected a reference"),
        ('#set($x = "a\\")', "a backslash does not escape"),
        ("#set($x = null)", "expected a reference"),
        ("#include('x')", "#include is not supported"),
        ("$s.replaceAll('(', 'x')", "regular expression"),
        ("$s.replaceAll('t', '$1')", "no group 1"),
        ("$util.base64Decode('!')", "base64Decode"),
        ("$util.urlEncode($nope)", "urlEncode takes a string, got null"),
        ("$input.path('$.x')", r"\$input has no method path()"),
        ("$input.json('$')", r"\$input has no method json()"),
        ("$input.params('x')", "params"),
        ("$l", "a list cannot be printed"),
        ("#if($m == 'x')#end", "a map cannot be printed"),
    ],
)
def test_mistake_is_named_with_template_and_line(template: str, words: str) -> None:
    with pytest.raises(VtlError, match=re.sub(r"\(\)", r"\\(\\)", words)):
        render(template, body='{"a":1}', s="it", m={"a": 1}, l=[1], n=1)


def test_template_over_the_limit_is_refused() -> None:
    """Documented: a mapping template has at most 300 KB."""
    with pytest.raises(VtlError, match="larger than"):
        VtlTemplate("x" * (300 * 1024 + 1), "test")


def test_foreach_runs_a_thousand_times_at_most() -> None:
    """Documented: a #foreach has at most 1,000 iterations."""
    assert render("#foreach($x in $l)x#end", l=[1] * 2000) == "x" * 1000


def test_rendering_leaves_the_variables_alone() -> None:
    variables: dict[str, Any] = {"s": "it"}
    template = VtlTemplate("#set($s = 'other')#set($new = 1)$s", "test")
    assert template.render(variables) == "other"
    assert variables == {"s": "it"}


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("it's", "it\\'s"),
        ('say "x"\\', 'say \\"x\\"\\\\'),
        ("a\nb\tc", "a\\nb\\tc"),
        ("é\U0001f600\x01", "\\u00E9\\uD83D\\uDE00\\u0001"),
    ],
)
def test_escape_java_script(text: str, escaped: str) -> None:
    """Documented: a single quote becomes backslash and quote, which is no valid JSON."""
    assert render("$util.escapeJavaScript($x)", x=text) == escaped


def test_the_documented_cure_for_escaped_quotes_works() -> None:
    """Documented: `.replaceAll("\\\\'","'")` makes the escaped text valid JSON again."""
    template = """{"a":"$util.escapeJavaScript($x).replaceAll("\\\\'","'")"}"""
    assert json.loads(render(template, x='it\'s "so"')) == {"a": 'it\'s "so"'}


@pytest.mark.parametrize(
    ("text", "encoded"),
    [("a b", "a+b"), ("*-._", "*-._"), ("~", "%7E"), ("é/?&=", "%C3%A9%2F%3F%26%3D"), ("", "")],
)
def test_url_encode_is_that_of_java(text: str, encoded: str) -> None:
    assert UTIL.url_encode(text) == encoded


@given(st.text())
def test_url_encoding_goes_both_ways(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    assert UTIL.url_decode(UTIL.url_encode(text)) == clean
    assert unquote_plus(UTIL.url_encode(text)) == clean


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_base64_goes_both_ways(text: str) -> None:
    assert UTIL.base64_decode(UTIL.base64_encode(text)) == text
    assert base64.b64decode(UTIL.base64_encode(text)).decode() == text


@given(st.text())
def test_what_a_reference_prints_is_never_evaluated(text: str) -> None:
    assert render("[$x]", x=text) == f"[{text}]"
    assert render('#set($y = "<$x>")$y', x=text) == f"<{text}>"


@pytest.mark.parametrize(
    ("value", "text"), [("é", "é"), (True, "true"), (False, "false"), (-7, "-7")]
)
def test_values_print_as_in_java(value: Any, text: str) -> None:
    assert to_text(value) == text


@pytest.mark.parametrize("value", [None, 1.5, {"a": 1}, [1]])
def test_what_no_template_prints_is_refused(value: Any) -> None:
    with pytest.raises(VtlError, match="cannot be printed"):
        to_text(value)


def test_extended_request_ids_are_alike_and_unique() -> None:
    ids = {extended_request_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[\w-]{15}=", each) for each in ids)
