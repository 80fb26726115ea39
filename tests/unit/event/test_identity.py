"""What makes two events one: ids from the bytes, types apart, parts joined without ambiguity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest

from pipeline.event.fields import PathSet, path_of, path_text
from pipeline.event.identity import find_identity
from tests.support.bench import generic, record, tally

if TYPE_CHECKING:
    from pipeline.event.compiled_source import CompiledSource
    from tests.support.bench import Bench

DEEP = b'{"a":1.5,"deep":' + b"[" * 1_000 + b"]" * 1_000 + b"}"


def with_id(bench: Bench, *paths: str, needed: int | None = None) -> CompiledSource:
    """Have `generic` tell its events apart by these paths, of which so many are needed."""
    source = replace(
        bench.catalog.sources["generic"],
        delivery_id_paths=PathSet([path_of(path) for path in paths]),
        delivery_id_needed=len(paths) if needed is None else needed,
        deduplication_seconds=3_600,
        body_hash_seconds=60,
    )
    bench.catalog = replace(bench.catalog, sources={**bench.catalog.sources, "generic": source})
    bench.new_process()
    return source


@pytest.mark.parametrize(
    ("paths", "one", "other"),
    [
        # Beyond 64 bits a parser that knows doubles alone sees one number.
        (["id"], b'{"id":340282366920938463463374607431768211401}',
         b'{"id":340282366920938463463374607431768211402}'),
        (["id"], b'{"id":20000000000000000001}', b'{"id":20000000000000000002}'),
        (["id"], b'{"id":-9223372036854775809}', b'{"id":-9223372036854775810}'),
        (["id"], b'{"id":1.10}', b'{"id":1.1}'),
        (["id"], b'{"id":1e2}', b'{"id":100}'),
        (["id"], b'{"id":0.10000000000000000001}', b'{"id":0.1}'),
        (["x.0.id"], b'{"x":[{"id":20000000000000000001}]}',
         b'{"x":[{"id":20000000000000000002}]}'),
        (["a", "b"], b'{"a":"x|y","b":"z"}', b'{"a":"x","b":"y|z"}'),
        (["a", "b"], b'{"a":"x\\",1,\\"y","b":"z"}', b'{"a":"x","b":"y\\",1,\\"z"}'),
        (["a", "b"], b'{"a":20000000000000000001,"b":"z"}', b'{"a":20000000000000000002,"b":"z"}'),
        (["a"], b'{"a":7}', b'{"a":"7"}'),
        (["a"], b'{"a":7}', b'{"a":7.0}'),
        (["a"], b'{"a":true}', b'{"a":"true"}'),
        (["a"], b'{"a":"!json:7"}', b'{"a":7}'),
        (["a", "b"], b'{"a":true,"b":"x"}', b'{"a":"true","b":"x"}'),
        (["a", "b"], b'{"a":7,"b":"x"}', b'{"a":"7","b":"x"}'),
        (["time", "id"], b'{"time":"T","n":1}', b'{"time":"T","n":2}'),
        (["time", "id"], b'{"time":"T","id":null,"n":1}', b'{"time":"T","id":null,"n":2}'),
        (["time", "id"], b'{"time":"T","id":"","n":1}', b'{"time":"T","id":"","n":2}'),
        (["time", "id"], b'{"time":"T","id":{"v":1}}', b'{"time":"T","id":{"v":2}}'),
        (["a", "b"], b'{"a":"x"}', b'{"b":"x"}'),
        ([r"event\.id"], b'{"event.id":"1"}', b'{"event.id":"2"}'),
        ([r"a\\b"], b'{"a\\\\b":"1"}', b'{"a\\\\b":"2"}'),
        (["id"], b'{"id":"' + b"x" * 300 + b'1"}', b'{"id":"' + b"x" * 300 + b'2"}'),
    ],
)  # fmt: skip
def test_different_events_are_never_one(
    bench: Bench, paths: list[str], one: bytes, other: bytes
) -> None:
    with_id(bench, *paths)
    assert tally(bench.run(record(generic(one)), record(generic(other))).outcomes) == {
        "delivered": 2
    }
    again = bench.run(record(generic(other)), record(generic(one))).outcomes
    assert tally(again) == {"duplicate": 2}


@pytest.mark.parametrize(
    ("paths", "one", "other"),
    [
        (["id"], b'{"id":"a"}', b'{"id":"a"}'),
        (["id"], b'{"id":20000000000000000001}', b'{"id":20000000000000000001}'),
        (["a", "b"], b'{"a":1.10,"b":true}', b'{"a":1.10,"b":true}'),
        (["id"], b'{"id":"\\u0061"}', b'{"id":"\\u0061"}'),
    ],
)
def test_a_copy_has_the_same_key(bench: Bench, paths: list[str], one: bytes, other: bytes) -> None:
    source = with_id(bench, *paths)
    keys = {find_identity(source, {}, orjson.loads(body), body).key for body in (one, other)}
    assert len(keys) == 1


def test_of_the_optional_parts_one_is_enough(bench: Bench) -> None:
    source = with_id(bench, "time", "a", "b", needed=1)

    def complete(body: bytes) -> bool:
        return find_identity(source, {}, orjson.loads(body), body).complete

    assert complete(b'{"time":"T","a":1}')
    assert complete(b'{"time":"T","b":"x"}')
    assert not complete(b'{"time":"T"}')
    assert not complete(b'{"a":1,"b":"x"}')


def test_a_number_that_cannot_be_read_again_is_completed_by_the_body(bench: Bench) -> None:
    """The exact digits come from a second parser, which does not go as deep."""
    source = with_id(bench, "a", "b", needed=1)
    body = DEEP.replace(b'"deep"', b'"b":"x","deep"')
    parsed = orjson.loads(body)
    assert not find_identity(source, {}, parsed, body).complete
    single = with_id(bench, "a")
    assert find_identity(single, {}, parsed, body).key == ""


@pytest.mark.parametrize("path", [("a", "b"), ("event.id",), ("a\\", "b."), (), ("", "x")])
def test_a_path_is_written_as_it_is_read(path: tuple[str, ...]) -> None:
    assert path_of(path_text(path)) == path


def test_headers_that_are_no_utf8_stay_apart(bench: Bench) -> None:
    source = bench.catalog.sources["github"]
    keys = {
        find_identity(
            source, {"x-github-delivery": raw.decode(errors="backslashreplace")}, {}, b"{}"
        ).key
        for raw in (b"id-\xff", b"id-\xfe")
    }
    assert len(keys) == 2
