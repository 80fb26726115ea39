"""What Elasticsearch refuses whatever its mapping is: such values are fitted, and no other byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.event import index_limits
from pipeline.event.index_limits import LONGEST_KEYWORD, MOST_LEVELS, fitting
from tests.support.bench import generic, record

if TYPE_CHECKING:
    from tests.support.bench import Bench


def fitted(text: str, *, strict: bool = True) -> str:
    raw = text.encode()
    return fitting(raw, json.loads(raw), strict=strict).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"":1}', '{"_":1}'),
        ('{"" : 1}', '{"_" : 1}'),
        ('{""\n:1}', '{"_"\n:1}'),
        ('{"  ":1}', '{"_":1}'),
        ('{".a":1,"b.":2,"..":3}', '{"_a":1,"b_":2,"__":3}'),
        ('{"a..b":1, "n":1.10}', '{"a._b":1, "n":1.10}'),
        ('{"a. ":1}', '{"a__":1}'),
        ('{"\\u002ea":1}', '{"_a":1}'),
        ('{"a\\u002E" :1}', '{"a_" :1}'),
        ('{"\\".":1}', '{"\\"_":1}'),
        ('{"x":[[{".a":{"":"."}}]]}', '{"x":[[{"_a":{"_":"."}}]]}'),
        ('{".a":1,"_a":2}', '{"_a_2":1,"_a":2}'),
        ('{".a":1,".a":2}', '{"_a":1,"_a":2}'),
        ('{"a.b":1}', '{"a.b":1}'),
        (
            '{"a":"..","b":"","c":". :","d":".\\":","e":" : "}',
            '{"a":"..","b":"","c":". :","d":".\\":","e":" : "}',
        ),
    ],
)
def test_a_name_that_elasticsearch_refuses_gets_another(before: str, after: str) -> None:
    assert fitted(before) == after


def test_a_thousand_names_that_would_become_one_take_no_square_of_time() -> None:
    names = [f"{number:012b}".replace("0", ".").replace("1", " ") for number in range(2**12)]
    found = json.loads(fitted(json.dumps(dict.fromkeys(names, 1))))
    assert len(found) == len(names)


@pytest.mark.parametrize(("text", "length"), [("x", 1), ("ü", 2), ("€", 3), ("😀", 4)])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_text_that_is_too_long_is_cut_at_a_character(
    text: str, length: int, ascii_only: bool
) -> None:
    most = LONGEST_KEYWORD // length
    fits = json.dumps({"a": text * most, "n": 1}, ensure_ascii=ascii_only)
    assert fitted(fits) == fits
    beyond = json.dumps({"b": [text * (most + 1)], "n": 1}, ensure_ascii=ascii_only)
    cut = json.loads(fitted(beyond))["b"][0]
    assert len(cut.encode()) <= LONGEST_KEYWORD
    assert LONGEST_KEYWORD - len(cut.encode()) < length
    assert cut.startswith(text * 8_000)
    assert cut.endswith(f"{text} … [cut: {(most + 1) * length:,} bytes]")


def test_a_long_name_is_cut_too() -> None:
    (name,) = json.loads(fitted(json.dumps({"n" * 40_000: 1})))
    assert len(name) < len(name.encode()) == LONGEST_KEYWORD


@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]"), ('[{"a":', "}]")])
def test_what_is_nested_too_deep_is_a_text(opening: str, closing: str) -> None:
    levels = opening.count("{") + opening.count("[")
    times = (MOST_LEVELS - 1) // levels
    fits = '{"a":' + opening * times + "1" + closing * times + "}"
    assert fitted(fits) == fits
    times += 2
    beyond = fitted('{"n":1.10,"a":' + opening * times + "1" + closing * times + "}")
    assert beyond.startswith('{"n":1.10,"a":')
    value, depth = json.loads(beyond)["a"], 1
    while not isinstance(value, str):
        value, depth = (value["a"] if isinstance(value, dict) else value[0]), depth + 1
    assert depth == MOST_LEVELS
    assert json.loads(value)


def test_brackets_in_a_text_are_no_levels() -> None:
    text = json.dumps({"a": "{" * 100, "b": '"[[' * 50})
    assert fitted(text) == text


def test_a_number_that_is_none_is_a_text() -> None:
    before = '{"a":NaN,"b":[-Infinity,1E5],"c":1e400,"d":' + "9" * 500 + ',"e":-1.10}'
    after = '{"a":"NaN","b":["-Infinity",1E5],"c":"1e400","d":"' + "9" * 500 + '","e":-1.10}'
    assert fitted(before, strict=False) == after


@pytest.mark.parametrize(
    ("body", "details"),
    [
        (b'{"a":NaN,"b":1.10}', '{"a":"NaN","b":1.10}'),
        (b'{"a":1e400}', '{"a":"1e400"}'),
        (b'{"a":{"":1.10}}', '{"a":{"_":1.10}}'),
        (b'{"a":' + b"9" * 5_000 + b"}", '{"a":"' + "9" * 5_000 + '"}'),
        (
            b'{"a":' + b'{"a":' * 30 + b"1" + b"}" * 31,
            '{"a":' * 18 + json.dumps('{"a":' * 13 + "1" + "}" * 13) + "}" * 18,
        ),
    ],
)
def test_it_is_so_in_the_message(bench: Bench, body: bytes, details: str) -> None:
    bench.run(record(generic(body)))
    (texts,) = bench.sqs.messages.values()
    assert texts[0].endswith('"details":' + details + "}")


def test_more_odd_names_than_any_sender_has_in_earnest_cost_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each takes some microseconds: a megabyte of them held up the shard for five seconds."""
    monkeypatch.setattr(index_limits, "MOST_EDITS", 3)
    few = '{"a":[{"":0},{"":0},{"":0}],"b":1.10}'
    assert fitted(few) == '{"a":[{"_":0},{"_":0},{"_":0}],"b":1.10}'
    many = '{"a":[{"":0},{"":0},{"":0},{"":0}],"":[ 1], "b":1.10}'
    flat = {"a": '[{"":0},{"":0},{"":0},{"":0}]', "_": "[ 1]", "b": 1.1}
    assert json.loads(fitted(many)) == flat
    assert fitted(many).endswith(', "b":1.10}')
    top = '{".a":1,".b":2,".c":3,".d":4}'
    assert json.loads(fitted(top)) == {"_": top}


def test_a_megabyte_of_odd_names_is_read_up_to_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    fit = index_limits._fit_name

    def looked_at(name: str) -> str:
        seen.append(name)
        return fit(name)

    monkeypatch.setattr(index_limits, "_fit_name", looked_at)
    body = '{"a":[' + ",".join(['{"":0}'] * 150_000) + "]}"
    assert json.loads(fitted(body))["a"].endswith(f"… [cut: {len(body) - 6:,} bytes]")
    assert len(seen) < 2 * index_limits.MOST_EDITS


def test_no_name_of_any_length_is_remembered_and_not_more_than_so_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fine: set[str] = set()
    monkeypatch.setattr(index_limits, "_FINE", fine)
    monkeypatch.setattr(index_limits, "_MOST_FINE", 3)
    fitted(json.dumps({"n" * 200: 1, "n" * 201: 2, "n" * 60_000: 3}))
    assert fine == {"n" * 200}
    for number in range(10):
        fitted(json.dumps({f"name-{number}": {"x": 1}}))
        # A set that stays full of names that never come again is of no use.
        assert {f"name-{number}", "x"} & fine
        assert len(fine) <= 3
    assert fitted(json.dumps({"n" * 201: {"": 1}})) == json.dumps({"n" * 201: {"_": 1}})
