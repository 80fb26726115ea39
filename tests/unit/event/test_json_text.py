"""What MozDef can read is delivered, as it was sent; what it cannot is rejected, with a reason.

MozDef reads messages with Python's `json` (mq/esworker_sqs.py), so that is the other side here.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.json_text import (
    DEEPEST,
    NoJsonError,
    TooDeepError,
    read_json,
    write_json,
)
from pipeline.event.outcomes import Reason
from tests.support.bench import generic, github, record, tally
from tests.support.mozdef import assert_contract

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.bench import Bench

LISTS = ("[", "1", "]")
OBJECTS = ('{"a":', "1", "}")


def nested(depth: int, form: tuple[str, str, str] = LISTS) -> bytes:
    opening, middle, closing = form
    return (opening * depth + middle + closing * depth).encode()


def text_of(bench: Bench) -> str:
    (texts,) = bench.sqs.messages.values()
    (text,) = texts
    return str(text)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"\\ud83d"}',
        b'{"a":"\\ude00 x \\ud83d"}',
        b'{"\\ud83d":1}',
        b'{"a":340282366920938463463374607431768211401,"b":1.10}',
        b'{"a":"\xef\xbf\xbe","n":1.10}',
    ],
)
def test_what_mozdef_can_read_is_delivered_as_it_was_sent(bench: Bench, body: bytes) -> None:
    settlement = bench.run(record(generic(body)))
    assert tally(settlement.outcomes) == {"delivered": 1}
    text = text_of(bench)
    expected = body.decode().replace("\ufffe", "\\ufffe")
    assert expected in text
    assert_contract(json.loads(text))


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"a":1.10}',
        '{"a":1.10}'.encode("utf-16"),
        b"\xfe\xff" + '{"a":1.10}'.encode("utf-16-be"),
    ],
)
def test_a_byte_order_mark_is_left_out(bench: Bench, body: bytes) -> None:
    assert tally(bench.run(record(generic(body))).outcomes) == {"delivered": 1}
    assert '"details":{"a":1.10}' in text_of(bench)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a":"\xff"}', "invalid_json"),
        (b'{"a":"\xed\xa0\xbd"}', "invalid_json"),
        (b'\xff\xfe{"a', "invalid_json"),
        (b"\xef\xbb\xbf", "invalid_json"),
        (b'{"a":1,}', "invalid_json"),
        (b"", "invalid_json"),
        (b'{"a":' + nested(DEEPEST) + b"}", "too_deep"),
        (b'{"a":' + nested(1_100) + b"}", "too_deep"),
        (nested(1_000, OBJECTS), "too_deep"),
        (nested(300_000), "too_deep"),
    ],
)
def test_what_it_cannot_read_is_rejected_with_a_reason(
    bench: Bench, body: bytes, reason: str
) -> None:
    assert tally(bench.run(record(generic(body))).outcomes) == {reason: 1}
    assert len(bench.s3.lines("rejected/")) == 1


def dict_to_list(value: Any) -> Any:
    """Walk through a message as MozDef does to choose its plugins: a call deeper for each level."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from dict_to_list(one)
    elif isinstance(value, list):
        for one in value:
            yield from dict_to_list(one)
    else:
        yield value


def read_as_mozdef(text: str, frames: int) -> Any:
    """What its worker does with a message, so many calls below its start."""
    if frames:
        return read_as_mozdef(text, frames - 1)
    event = json.loads(text)
    assert list(dict_to_list(event))
    return json.JSONEncoder().encode(event)


@pytest.mark.parametrize("form", [LISTS, OBJECTS])
def test_the_limit_is_below_what_mozdefs_worker_can_read(
    form: tuple[str, str, str], fresh_stack: Callable[[Callable[[], Any]], Any]
) -> None:
    def read(depth: int) -> None:
        before, after = '{"details":{"event":"x","body":{"x":', "}}}"
        read_as_mozdef(before + nested(depth, form).decode() + after, frames=40)

    fresh_stack(lambda: read(DEEPEST))
    with pytest.raises(RecursionError):
        fresh_stack(lambda: read(1_000))


@pytest.fixture
def fresh_stack() -> Callable[[Callable[[], Any]], Any]:
    """Run something in a thread of its own, under Python's own limit, without pytest's calls."""
    import sys
    from concurrent.futures import ThreadPoolExecutor

    def run(work: Callable[[], Any]) -> Any:
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(1_000)
        try:
            with ThreadPoolExecutor(1) as threads:
                return threads.submit(work).result()
        finally:
            sys.setrecursionlimit(before)

    return run


SURROGATES = st.text(st.characters() | st.sampled_from("\ud83d\ude00\ufffe"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | SURROGATES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SURROGATES, inner, max_size=3),
    max_leaves=12,
)


@given(VALUES, st.sampled_from(["", "\ufeff"]))
def test_it_reads_what_pythons_json_writes(value: Any, mark: str) -> None:
    written = json.dumps(value)
    text, found = read_json((mark + written).encode())
    assert text.decode() == written
    assert json.dumps(as_doubles(found)) == json.dumps(as_doubles(value))


@given(st.binary(max_size=40) | st.text('[]{}",:\\u0d83 1aNI', max_size=40).map(str.encode))
def test_hostile_bytes_are_read_as_python_reads_them_or_refused(text: bytes) -> None:
    try:
        again, value = read_json(text)
    except (NoJsonError, TooDeepError):
        return
    assert json.dumps(as_doubles(json.loads(again))) == json.dumps(as_doubles(value))


def as_doubles(value: Any) -> Any:
    """The same with whole numbers as orjson reads them: those beyond 64 bits are doubles."""
    if isinstance(value, dict):
        return {key: as_doubles(one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_doubles(one) for one in value]
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and not -(2**63) <= value < 2**64 else value


@given(VALUES)
def test_what_is_written_is_read_back(value: Any) -> None:
    written = write_json(value)
    assert written.decode()
    try:
        orjson.dumps(value)
    except TypeError:
        assert json.dumps(json.loads(written)) == json.dumps(value)


def test_one_odd_element_is_its_own_outcome(bench: Bench) -> None:
    source = replace(bench.catalog.sources["generic"], split=("e",))
    bench.catalog = replace(bench.catalog, sources={**bench.catalog.sources, "generic": source})
    bench.new_process()
    good = [b'{"n":%d}' % number for number in range(7)]
    odd = [b'{"s":"\\ud83d"}', b'{"f":1e400}', b'{"d":' + nested(700) + b"}"]
    bad = [b'{"d":' + nested(1_100) + b"}", b'{"s":"\xff"}', b'{"t":tru}']
    body = b'\xef\xbb\xbf{"e":[' + b",".join([*good, *odd, *bad]) + b"]}"
    ends = tally(bench.run(record(generic(body))).outcomes)
    assert ends == {"delivered": 10, "too_deep": 1, "invalid_json": 2}


def test_half_a_surrogate_pair_in_what_else_is_written(bench: Bench) -> None:
    """In type, id, summary and explanation: archive, ledger and table are UTF-8."""
    change = replace(
        bench.catalog.sources["generic"],
        event_type_path=("type",),
        delivery_id_paths=bench.catalog.sources["slack"].delivery_id_paths,
        delivery_id_needed=1,
        deduplication_seconds=60,
    )
    bench.catalog = replace(bench.catalog, sources={**bench.catalog.sources, "generic": change})
    bench.new_process()
    bodies = [
        b'{"type":"\\ud83d","event_id":"\\ud83d"}',
        b'{"type":"\\ud83d","event_id":"\\\\ud83d"}',
        b'{"type":"\\ud83d","event_id":"\\ude00"}',
    ]
    outcomes = bench.run(*(record(generic(body)) for body in bodies)).outcomes
    assert tally(outcomes) == {"delivered": 3}
    assert all(orjson.dumps(line) for line in bench.s3.lines("ledger/"))


def test_details_by_path_keep_the_senders_digits(bench: Bench) -> None:
    source = bench.catalog.sources["github"]
    settings = replace(source.mozdef, rules=None, details={"big": "n.big", "all": "n", "text": "t"})
    changed = {**bench.catalog.sources, "github": replace(source, mozdef=settings)}
    bench.catalog = replace(bench.catalog, sources=changed)
    bench.new_process()
    body = b'{"n":{"big":20000000000000000001,"small":1.10},"t":"7"}'
    bench.run(record(github(body, event="x")))
    assert '"big":20000000000000000001,"all":{"big":20000000000000000001,"small":1.10}' in (
        text_of(bench)
    )


def test_the_reason_is_one_of_the_words() -> None:
    assert Reason("too_deep") is Reason.TOO_DEEP
