"""Rules on the body: what they name changes, and no other byte does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.event import body_rules, elements
from pipeline.event.body_rules import BodyRules
from pipeline.event.fields import path_of
from pipeline.event.index_limits import MOST_LEVELS, fitting
from toolbox.mozdef.index import Index


def applied(text: str, *rules: tuple[str, ...]) -> str:
    """Rules are written as kind, path, new name and which values."""
    filled = [(*rule, "", "")[:4] for rule in rules]
    plan = tuple((path_of(path), kind, name, only) for kind, path, name, only in filled)
    raw = text.encode()
    return BodyRules(plan).applied(raw, json.loads(raw)).decode()


DROP, TEXT, NAME = "drop", "stringify", "rename"
OBJECTS = ("user_object", "objects")


@pytest.mark.parametrize(
    ("before", "rule", "after"),
    [
        ('{"a":1,"b":2}', (DROP, "a"), '{"b":2}'),
        ('{"a":1,"b":2}', (DROP, "b"), '{"a":1}'),
        ('{ "a" : 1 , "b" : 1.10 , "c" : 3 }', (DROP, "b"), '{ "a" : 1 , "c" : 3 }'),
        ('{"a":1}', (DROP, "a"), "{}"),
        (
            '{"x_url":1,"a":{"b_url":2,"c":1e5},"y_url":[3]}',
            (DROP, "*_url"),
            '{"a":{"b_url":2,"c":1e5}}',
        ),
        ('{"x_url":1,"y_url":2}', (DROP, "*_url"), "{}"),
        ('{"a":[{"k":1,"x":2},{"x":3}]}', (DROP, "a.x"), '{"a":[{"k":1},{}]}'),
        ('{"a":[[{"x":1}],{"x":2}]}', (DROP, "a.x"), '{"a":[[{}],{}]}'),
        ('{"a":{"b":{"x":1}},"x":2}', (DROP, "**.x"), '{"a":{"b":{}}}'),
        ('{"a":{"b":{"c":{"x":1}},"x":3},"x":2}', (DROP, "a.**.x"), '{"a":{"b":{"c":{}}},"x":2}'),
        ('{"event.id":1,"event":{"id":2}}', (DROP, r"event\.id"), '{"event":{"id":2}}'),
        ('{"\\u0061":1,"b":2}', (DROP, "a"), '{"b":2}'),
        ('{"ä":1,"b":2}', (DROP, "ä"), '{"b":2}'),
        ('{"a":1,"b":2,"a":3}', (DROP, "a"), '{"b":2}'),
        ('{"a":{"b":1}}', (DROP, "a", "", "scalars"), '{"a":{"b":1}}'),
        ('{"a":"t"}', (DROP, "a", "", "scalars"), "{}"),
        ('{"a":{"b":1.10, "c":"ü"}}', (TEXT, "a"), '{"a":"{\\"b\\":1.10, \\"c\\":\\"ü\\"}"}'),
        ('{"a":"t","b":1.10}', (TEXT, "*"), '{"a":"t","b":1.10}'),
        ('{"a":true,"b":[false,null,1]}', (TEXT, "*"), '{"a":"true","b":["false",null,1]}'),
        ('{"a":[{"b":1},"t",[{}]]}', (TEXT, "a"), '{"a":["{\\"b\\":1}","t",["{}"]]}'),
        ('{ "a":1.10}', (TEXT, "."), '"{ \\"a\\":1.10}"'),
        ('{"user":{"id":1}}', (NAME, "user", *OBJECTS), '{"user_object":{"id":1}}'),
        ('{"user":"U1"}', (NAME, "user", *OBJECTS), '{"user":"U1"}'),
        ('{"user":[{"id":1}]}', (NAME, "user", *OBJECTS), '{"user_object":[{"id":1}]}'),
        ('{"user":["U1",[["U2"]]]}', (NAME, "user", *OBJECTS), '{"user":["U1",[["U2"]]]}'),
        ('{"user":["U1",[[{}]]]}', (NAME, "user", *OBJECTS), '{"user_object":["U1",[[{}]]]}'),
        ('{"user":null}', (NAME, "user", *OBJECTS), '{"user":null}'),
        (
            '{"user":{"id":1},"user_object":2}',
            (NAME, "user", *OBJECTS),
            '{"user_object_2":{"id":1},"user_object":2}',
        ),
        ('{"a":"{\\"user\\":{}}"}', (NAME, "user", *OBJECTS), '{"a":"{\\"user\\":{}}"}'),
    ],
)
def test_what_a_rule_does(before: str, rule: tuple[str, ...], after: str) -> None:
    assert applied(before, rule) == after


def test_the_first_rule_that_fits_a_value_counts_and_those_below_it_are_done_too() -> None:
    text = '{"user":{"urls":{"a":1},"k":true}}'
    rules = [(NAME, "user", *OBJECTS), (DROP, "user"), (TEXT, "user.urls"), (TEXT, "**.k")]
    assert applied(text, *rules) == '{"user_object":{"urls":"{\\"a\\":1}","k":"true"}}'
    assert applied('{"user":"U1"}', *rules) == "{}"


def test_what_is_kept_stays_whatever_a_rule_below_says() -> None:
    rules = [("keep", "a.x"), ("keep", "b"), (DROP, "a.*"), (TEXT, "*"), (TEXT, "**.deep")]
    text = '{"a":{"x":{"deep":{}},"y":1},"b":{"c":1.10},"d":[{}]}'
    assert (
        applied(text, *rules)
        == '{"a":"{\\"x\\":{\\"deep\\":{}},\\"y\\":1}","b":{"c":1.10},"d":["{}"]}'
    )
    rules.insert(0, ("keep", "a"))
    assert applied(text, *rules) == '{"a":{"x":{"deep":"{}"}},"b":{"c":1.10},"d":["{}"]}'


def test_names_that_a_sender_chooses_are_not_remembered() -> None:
    rules = BodyRules(((("**", "*_url"), "drop", "", ""),))
    body: dict[str, Any] = {f"name-{number}": {"x": 1, "x_url": 2} for number in range(100)}
    raw = json.dumps(body).encode()
    assert json.loads(rules.applied(raw, body)) == {name: {"x": 1} for name in body}
    assert rules._start is not None
    assert len(rules._start._states.known) < 5


def test_a_text_that_is_made_is_cut_where_it_is_no_keyword() -> None:
    text = applied('{"a":{"b":["' + "ü" * 20_000 + '"]}}', (TEXT, "a"))
    made = json.loads(text)["a"]
    assert len(made.encode()) <= 32_766
    assert made.endswith("ü … [cut: 40,010 bytes]")


def test_lists_as_deep_as_mozdef_reads_them_are_no_fault() -> None:
    deep = '{"a":' + "[" * 890 + '{"x":1}' + "]" * 890 + "}"
    for rule in ((DROP, "a.x"), (NAME, "a", *OBJECTS), (TEXT, "a"), (DROP, "**.x")):
        json.loads(applied(deep, rule))


@pytest.mark.parametrize("depth", [1, 15, 16, 17, 18, 19, 40, 890])
@pytest.mark.parametrize("path", ["*", "x"])
def test_an_object_in_lists_however_deep_is_a_text_after_stringify(path: str, depth: int) -> None:
    raw = b'{"x":' + b"[" * depth + b'{"a":1}' + b"]" * depth + b"}"
    rules = BodyRules((((path,), TEXT, "", ""),))
    made = fitting(rules.applied(raw, json.loads(raw)), rules.left(json.loads(raw)), strict=True)
    index = Index()
    assert index.add({"details": {"own": {"x": "t"}}}) is None
    assert index.add({"details": {"own": json.loads(made)}}) is None
    levels = min(depth, MOST_LEVELS - 1)
    text = b"[" * (depth - levels) + b'{"a":1}' + b"]" * (depth - levels)
    expected = b"[" * levels + json.dumps(text.decode()).encode() + b"]" * levels
    assert made == b'{"x":' + expected + b"}"


@pytest.mark.parametrize("depth", [17, 18, 19, 40, 890])
@pytest.mark.parametrize("beside", ["", '"{",', '[["\\"{"]],'])
def test_a_list_counts_as_what_is_in_it_however_deep(depth: int, beside: str) -> None:
    for inner, left in (("{}", "scalars"), ("1", "objects"), ('"{"', "objects")):
        text = '{"x":' + f"[{beside}" * depth + inner + "]" * depth + ',"y":[{}]}'
        assert applied(text, (DROP, "x", "", left)) == text
        gone = "scalars" if left == "objects" else "objects"
        assert applied(text, (DROP, "x", "", gone)) == '{"y":[{}]}'


@pytest.mark.parametrize(
    ("before", "rule", "after"),
    [
        ('{"a":1,"a":{"b":1},"c":2}', (DROP, "a", "", "objects"), '{"c":2}'),
        ('{"a":{"b":1},"c":2,"\\u0061":1}', (DROP, "a", "", "scalars"), '{"c":2}'),
        ('{"a":{"b":1},"a":1,"c":2}', (DROP, "a", "", "objects"), '{"a":{"b":1},"a":1,"c":2}'),
        ('{"a":[[1]],"a":[[{}]],"c":2}', (DROP, "*", "", "objects"), '{"c":2}'),
        ('{"a":1,"c":2,"a":{}}', (NAME, "a", "o", "objects"), '{"o":1,"c":2,"o":{}}'),
        ('{"x":[{"a":1,"a":{},"c":2}]}', (DROP, "x.a", "", "objects"), '{"x":[{"c":2}]}'),
        ('{"x":{"a":1,"a":{},"c":2}}', (DROP, "**.a", "", "objects"), '{"x":{"c":2}}'),
        (
            '{"a":1,"a":{"b":1},"a":3,"c":{}}',
            (DROP, "*", "", "objects"),
            '{"a":1,"a":{"b":1},"a":3}',
        ),
    ],
)
def test_of_a_name_that_is_there_twice_the_last_decides(
    before: str, rule: tuple[str, ...], after: str
) -> None:
    assert applied(before, rule) == after


def test_a_name_that_is_there_often_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged for each, a long list at the end of many would take a square of time."""
    looked: list[int] = []
    opens = elements.opens_object

    def counted(text: bytes, start: int, end: int) -> bool:
        looked.append(start)
        return opens(text, start, end)

    monkeypatch.setattr(body_rules, "opens_object", counted)
    text = "{" + '"a":1,' * 1_000 + '"a":[{}],"c":2}'
    assert applied(text, (DROP, "a", "", "objects")) == '{"c":2}'
    assert len(looked) == 1


@pytest.mark.parametrize("glob", ["*a*a*a*b", "*a*a*a*a*b", "a*a*a*a*b*a", "*a*a*a*ab*"])
def test_a_long_name_takes_a_glob_no_square_of_time(glob: str) -> None:
    """Microseconds; a way that goes back, as a regular expression's, has no end."""
    rules = BodyRules((((glob,), DROP, "", ""),))
    raw = json.dumps({"a" * 80_000: 1}).encode()
    assert rules.applied(raw, json.loads(raw)) == raw
