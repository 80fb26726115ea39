"""Envelopes: every byte comes back, whatever a sender writes."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from urllib.parse import quote_plus, unquote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.event.envelope import (
    REPLAY_ROOM,
    Envelope,
    EnvelopeError,
    decode_envelope,
    encode_envelope,
    partition_key,
)
from pipeline.event.line_layouts import LineLayouts
from pipeline.replay.job import new_job_id

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NAMES = st.from_regex(r"[a-z0-9-]{1,20}|:(method|url|query\.[A-Za-z0-9._-]{1,9})", fullmatch=True)


@given(
    body=st.binary(max_size=500),
    identifier=TEXT.filter(bool),
    source=TEXT.filter(bool),
    ip=TEXT,
    key=TEXT,
    headers=st.dictionaries(NAMES, TEXT, max_size=5),
    arrived=st.integers(0, 10**14 - 1),
    replay=TEXT,
    force=st.booleans(),
    replays=st.integers(0, 9999),
)
def test_round_trip(
    body: bytes,
    identifier: str,
    source: str,
    ip: str,
    key: str,
    headers: dict[str, str],
    arrived: int,
    replay: str,
    force: bool,
    replays: int,
) -> None:
    envelope = Envelope(identifier, arrived, source, ip, body, key, headers, replay, force, replays)
    data = encode_envelope(envelope)
    assert decode_envelope(data) == envelope
    prefix = data[: data.index(b"\n") + 1]
    assert len(prefix) % 3 == 0
    # What the mapping template relies on: two base64 strings can be joined.
    assert base64.b64encode(prefix) + base64.b64encode(body) == base64.b64encode(data)


@given(st.text(max_size=60) | st.text(st.characters(max_codepoint=127), max_size=60))
def test_values_are_escaped_as_in_a_form(value: str) -> None:
    expected = quote_plus(value.encode(errors="replace"), safe="*")
    value = value.encode(errors="replace").decode()
    data = encode_envelope(Envelope("a", 1, "s", value, b""))
    assert f"&ip={expected}".encode() == data.rstrip(b" \n")[len(b"v=1&id=a&ts=1&source=s") :]


@given(st.text(max_size=60))
def test_the_partition_key_is_what_the_front_door_makes_of_it(key: str) -> None:
    made = partition_key(Envelope("a", 1, "s", "", b"", key))
    escaped = quote_plus(key.encode(errors="replace"), safe="*").replace("~", "%7E")
    assert made == (escaped if 1 <= len(escaped) <= 256 else "a")


@given(st.lists(st.text("%+0123456789ABCDEFabcdef~", max_size=30), min_size=1, max_size=6))
def test_escapes_are_read_as_in_a_form(values: list[str]) -> None:
    line = "&".join(f"h.x{place}={value}" for place, value in enumerate(values))
    envelope = decode_envelope(f"v=1&id=a&ts=1&source=s&{line}\n".encode())
    read = [unquote_plus(value, errors="backslashreplace") for value in values]
    assert list(envelope.headers.values()) == read


@given(st.binary(max_size=300))
def test_hostile_bytes_are_refused_or_read(data: bytes) -> None:
    try:
        decode_envelope(data)
    except EnvelopeError:
        return


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no metadata line"),
        (b"\n", "distinct fields"),
        (b"v=1\n", "lacks id, ts, source"),
        (b"v=2&id=a&ts=1&source=s\n", "version '2'"),
        (b"v=1&id=a&ts=-1&source=s\n", "ts is no time"),
        (b"v=1&id=a&ts=1&source=s&id=b\n", "distinct fields"),
        (b"v=1&id=a&ts=1&source=s&replays=x\n", "replays is no number"),
        (b"v=1&id=\xff&ts=1&source=s\n", "not ASCII"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, message: str) -> None:
    with pytest.raises(EnvelopeError, match=message):
        decode_envelope(data)


@given(
    key=st.text(max_size=80),
    headers=st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["Cs"]))),
    force=st.booleans(),
    replays=st.integers(1, 9_999),
    first=st.integers(0, 10**9 - 1),
    further=st.none() | st.integers(1, 10**9 - 1),
    short=st.integers(0, 3 * REPLAY_ROOM),
)
def test_what_a_record_held_it_holds_with_a_replays_mark(
    key: str,
    headers: dict[str, str],
    force: bool,
    replays: int,
    first: int,
    further: int | None,
    short: int,
) -> None:
    """Byte by byte below the limit: what the door takes, a replay can put again."""
    limit, job = 4_096, new_job_id(datetime.now(UTC))
    key = key.encode(errors="replace").decode()
    accepted = Envelope("JKJaXmPLvHcESHA=", 1_795_464_503_123, "github", "::1", b"", key, headers)
    least = len(encode_envelope(accepted)) + len(partition_key(accepted))
    accepted = accepted._replace(body=b"x" * max(limit - least - short, 0))
    only = str(first) if further is None else f"{first}-{further}"
    for one in ("", only):
        marked = accepted._replace(replay=job, replays=replays, force=force, only=one)
        assert decode_envelope(encode_envelope(marked)) == marked
        assert len(encode_envelope(marked)) == len(encode_envelope(accepted))
        assert partition_key(marked) == partition_key(accepted)


@given(replay=TEXT, only=st.sampled_from(["", ",".join(map(str, range(0, 2_000, 2)))]))
def test_a_mark_beyond_its_room_is_read_all_the_same(replay: str, only: str) -> None:
    marked = Envelope("a", 1, "s", "", b"\n body", replay=replay, only=only)
    data = encode_envelope(marked)
    assert decode_envelope(data) == marked
    assert (data.index(b"\n") + 1) % 3 == 0


@given(st.text(st.characters(codec=None), max_size=20))
@example("\ud83d")
@example("é\udcff")
def test_half_a_surrogate_pair_is_a_question_mark_and_no_error(key: str) -> None:
    one = Envelope("a", 1, "s", "", b"", key)
    written = encode_envelope(one)
    read = decode_envelope(written)
    assert read.key == key.encode(errors="replace").decode()
    assert encode_envelope(read) == written
    assert partition_key(read) == partition_key(one)


def _read(data: bytes, layouts: LineLayouts) -> Envelope | str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.event.envelope._layouts", layouts)
        try:
            return decode_envelope(data)
        except EnvelopeError as error:
            return str(error)


@given(
    identifier=TEXT.filter(bool),
    source=st.sampled_from(["github", "a b"]),
    key=TEXT,
    headers=st.dictionaries(NAMES, TEXT, max_size=3),
    at=st.integers(0, 120),
    cut=st.integers(0, 2),
    put=st.text("&=%+ 1A.h\n", max_size=2),
)
@example("1", "github", "", {"a": "b"}, 44, 0, "&c")
@example("1", "github", "", {"a": "b"}, 25, 0, "+")
def test_a_line_reads_alike_whether_its_names_were_met_before_or_not(
    identifier: str, source: str, key: str, headers: dict[str, str], at: int, cut: int, put: str
) -> None:
    data = encode_envelope(Envelope(identifier, 1, source, "192.0.2.1", b"{}", key, headers))
    changed = data[:at] + put.encode() + data[at + cut :]
    known = LineLayouts()
    assert len({str(_read(data, known)) for _ in range(3)}) == 1
    assert (known.values_in(_line_of(data)) is not None) == (source == "github")
    assert _read(changed, known) == _read(changed, LineLayouts())


def _line_of(data: bytes) -> str:
    return data.partition(b"\n")[0].decode().rstrip()


def test_names_of_lines_are_kept_for_so_many_kinds() -> None:
    known = LineLayouts()

    def is_kept(source: str, header: str) -> bool:
        made = Envelope("1", 1, source, "192.0.2.1", b"", headers={header: ""})
        data = encode_envelope(made)
        assert [_read(data, known) for _ in range(2)] == [made, made]
        return known.values_in(_line_of(data)) is not None

    assert not is_kept("a", "n" * 2_000)
    assert [is_kept("a", header) for header in "abcde"] == [True] * 4 + [False]
    assert sum(is_kept(f"s{number}", "a") for number in range(250)) == 199
