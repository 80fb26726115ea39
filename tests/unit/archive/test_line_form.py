"""The form of the archive's lines, and what an object may hold of them."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.archive import limits
from pipeline.archive.keys import ArchiveKind
from pipeline.archive.ledger import describe_outcome, read_entry
from pipeline.archive.lines import describe, read_line
from pipeline.archive.packing import pack
from pipeline.event.envelope import Envelope
from pipeline.event.events import Event, delivered

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

ARRIVED_MS = 1_795_464_503_123
#: What an invocation's 6 MB hold as base64.
LARGEST_RECORD = 6 * 1024 * 1024 * 3 // 4
#: Up to so many bytes a body is text whatever is in it; of a larger one an eighth may be controls.
ANY_TEXT = 65_536

#: As docs/architecture.md and the Athena tables have it, written out.
LINE = {
    "id": "r=1@job-1",
    "source": "github",
    "event_type": "push",
    "shard_id": "shardId-1",
    "sequence_number": "7",
    "arrived": "2026-11-23T20:08:23.123+00:00",
    "envelope_id": "r=1",
    "envelope_source": "github",
    "envelope_ts": ARRIVED_MS - 5,
    "key": "d 1",
    "ip": "::1",
    "headers": {"h": "ü"},
    "replay": "job-1",
    "replays": 3,
    "body": '{"a":1}',
    "only": "0-2,7",
}
ENVELOPE = Envelope(
    "r=1",
    ARRIVED_MS - 5,
    "github",
    "::1",
    b'{"a":1}',
    "d 1",
    {"h": "ü"},
    replay="job-1",
    replays=3,
    only="0-2,7",
)


@pytest.fixture
def event(catalog: Catalog) -> Event:
    source = catalog.sources["github"]
    return Event(
        "7",
        "shardId-1",
        ARRIVED_MS / 1000,
        ENVELOPE,
        source,
        "r=1@job-1",
        "7",
        event_type="push",
    )


def test_a_line_has_the_whole_envelope_and_the_replay_that_it_is_of(event: Event) -> None:
    assert describe(event) == LINE


def test_the_line_of_an_earlier_release_is_read() -> None:
    found = read_line(ArchiveKind.RAW, orjson.dumps(LINE))
    assert (found.envelope, found.id) == (ENVELOPE, "r=1@job-1")
    assert (found.source, found.event_type) == ("github", "push")
    assert found.arrived == ARRIVED_MS / 1000
    assert (found.reason, found.explanation, found.numbers) == ("", "", ())
    assert (found.body, found.claimed_source) == (b'{"a":1}', "github")


def form_of(event: Event, body: bytes) -> str:
    """How a body is written; its line can be read, and gives it back."""
    event.envelope = ENVELOPE._replace(body=body)
    text = orjson.dumps(describe(event))
    assert len(text) <= limits.LONGEST_LINE
    found = read_line(ArchiveKind.RAW, text).envelope
    assert found is not None
    assert found.body == body
    (form,) = {"body", "body_base64"} & set(orjson.loads(text))
    return form


@pytest.mark.parametrize("control", [b"\x00", b"\n", b"\x1f"])
@pytest.mark.parametrize(
    ("size", "controls", "form"),
    [
        (ANY_TEXT, ANY_TEXT, "body"),
        (ANY_TEXT + 8, ANY_TEXT // 8 + 1, "body"),
        (ANY_TEXT + 8, ANY_TEXT // 8 + 2, "body_base64"),
        (ANY_TEXT + 1, ANY_TEXT + 1, "body_base64"),
        (LARGEST_RECORD, LARGEST_RECORD // 8, "body"),
        (LARGEST_RECORD, LARGEST_RECORD // 8 + 1, "body_base64"),
        (LARGEST_RECORD, LARGEST_RECORD, "body_base64"),
    ],
)
def test_a_body_whose_controls_would_make_no_line_of_it_is_base64(
    event: Event, control: bytes, size: int, controls: int, form: str
) -> None:
    """What is not a control character here is a quotation mark: JSON makes it two bytes."""
    assert form_of(event, b'"' * (size - controls) + control * controls) == form


@pytest.mark.parametrize("filling", [b" ", b"~", b"\x7f", "ü".encode(), "\u2028".encode()])
def test_a_large_body_of_other_characters_is_text(event: Event, filling: bytes) -> None:
    assert form_of(event, filling * ANY_TEXT) == "body"


def test_a_body_that_is_no_utf8_is_base64(event: Event) -> None:
    assert form_of(event, b"\xff") == "body_base64"


def test_an_object_holds_what_a_reader_trusts_and_as_much_of_it_as_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "LARGEST_OBJECT", 301)
    for length in range(150):
        for lines in (1, 2):
            item = [b"x" * length] * lines
            found = list(pack([item] * 20, lambda item, *, begins: item))
            texts = [gzip.decompress(one.content()) for one in found]
            assert b"".join(texts) == (b"x" * length + b"\n") * 20 * lines
            sizes = [len(text) for text in texts]
            assert [one.size for one in found] == sizes
            assert max(sizes) <= 301
            one_more = (length + 1) * lines
            assert all(size + one_more > 301 for size in sizes[:-1]), (length, lines)


def test_an_item_that_is_more_than_an_object_has_one_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "LARGEST_OBJECT", 10)
    found = list(pack([b"a", b"b" * 20, b"c"], lambda item, *, begins: [item]))
    assert [one.items for one in found] == [[b"a"], [b"b" * 20], [b"c"]]


@pytest.mark.parametrize("only", ["", "0-2"])
def test_the_ledger_says_how_many_its_request_has_and_whether_a_replay_wanted_some(
    event: Event, only: str
) -> None:
    event.envelope, event.elements, event.id = ENVELOPE._replace(only=only), 3, "r=1@job-1#2"
    line = describe_outcome(delivered(event))
    shown = {name: line[name] for name in ("elements", "partial") if name in line}
    assert shown == {"elements": 3, **({"partial": True} if only else {})}
    entry = read_entry(line)
    assert (entry.elements, entry.partial) == (3, bool(only))


@pytest.mark.parametrize("partial", [None, False, 1, "true"])
def test_an_event_of_a_whole_request_is_not_partial(event: Event, partial: Any) -> None:
    line = describe_outcome(delivered(event))
    assert not {"elements", "partial"} & set(line), "what is one event says neither"
    assert read_entry(line | {"partial": partial}).partial is False
    assert read_entry(line | {"partial": True}).partial is True
