"""A text that was read before gives a document that is nobody else's."""

from __future__ import annotations

import pytest

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
