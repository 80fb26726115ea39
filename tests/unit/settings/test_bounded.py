"""A text that was read before gives a document that is nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from settings import bounded
from settings.bounded import UnfitFileError, parse_yaml


def test_what_a_reader_does_with_a_document_is_not_seen_by_the_next() -> None:
    text = b"a: [1, 2]\nb: &one {c: 1}\nd: *one\n"
    first = parse_yaml(text)
    first["a"].append(3)
    first["b"]["c"] = 2
    assert parse_yaml(text) == {"a": [1, 2], "b": {"c": 1}, "d": {"c": 1}}


def test_what_is_wrong_is_said_each_time() -> None:
    for _ in range(2):
        with pytest.raises(UnfitFileError, match="not readable as YAML"):
            parse_yaml(b"a: [1, 2")


def test_a_text_that_is_not_remembered_is_read_as_the_others_are() -> None:
    text = b"a: " + b"x" * 200_000
    assert parse_yaml(text) == {"a": "x" * 200_000}


@pytest.mark.parametrize(
    "text",
    [
        "a: 1_000\nb: 012\nc: 1:30\nd: .inf\ne: 2026-11-26\nf: 0o7\ng: no\nh: ~",
        "a: &x [1, {b: c}]\nd: *x\n<<: {a: 0, e: 5}",
        "- |\n  a\n\n   b\n\n- >-\n  a\n  b\n- 'it''s'\n- \"\\x41\\u263a\\U0001F600\\\n  b\"",
        "? [a b: c]\n: {d, e: }\n--- \nf",
        "a: !!binary aGk=\nb: !!set {x}\nc: !!str 1\nd: !own 1",
        "\ufeffa: \u263a # no\nb: c#d",
        "a: [1, 2",
        "a: \x07",
    ],
)
def test_the_fast_parser_reads_what_the_other_one_does(text: str) -> None:
    assert yaml.__with_libyaml__

    def read(loader: Any) -> object:
        try:
            return yaml.load(text, loader)
        except yaml.YAMLError as error:
            return type(error)

    assert read(bounded._FastLoader) == read(bounded._BoundedLoader)


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"%YAML 1.3\n---\na", "a"), (b'a: "\\ud83d"', {"a": "\ud83d"})],
)
def test_what_the_fast_parser_refuses_the_other_one_reads(text: bytes, value: object) -> None:
    with pytest.raises(yaml.YAMLError):
        yaml.load(text, bounded._FastLoader)
    assert parse_yaml(text) == value


def test_a_fault_is_shown_in_its_line() -> None:
    with pytest.raises(UnfitFileError, match=r"(?s)line 2, column 4.*b: \[c.*\^"):
        parse_yaml(b"a: 1\nb: [c\n")


def test_the_fast_parser_is_not_asked_for_what_takes_it_quadratic_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It compares each tag directive with all before it: 80,000, in 1.2 MB, took 17 seconds."""

    def asked(_: str) -> None:
        raise AssertionError("the fast parser was asked")

    monkeypatch.setattr(bounded, "_FastLoader", asked)
    text = "".join(f"%TAG !{number}! x\n" for number in range(3)) + "---\na: !1!y 1\n"
    with pytest.raises(UnfitFileError, match="xy"):
        parse_yaml(text.encode())
    assert parse_yaml(b"# %TAG\na: 1\n") == {"a": 1}
