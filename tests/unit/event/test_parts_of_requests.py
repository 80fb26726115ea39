"""Which events are made of a request that carries many, and what they are called."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest

from pipeline.event import splitting
from pipeline.event.events import Outcomes, Record
from pipeline.event.fields import PathSet, path_of
from pipeline.event.identity import find_identity, partition_text
from pipeline.event.secrets import only
from pipeline.event.steps import examine
from tests.support.bench import SECRET, generic

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog
    from pipeline.event.events import Event

LIST = b'[{"n":0},{"n":1},{"n":0},{"n":3},{"n":0}]'


def made(catalog: Catalog, *records: Record, whole: str = "") -> tuple[list[Event], Outcomes]:
    """The events of records; those of `generic` are lists of events, those of `whole` are not."""
    source = replace(catalog.sources["generic"], split=())
    sources = {"generic": source}
    if whole:
        sources[whole] = replace(catalog.sources["generic"], name=whole)
    outcomes = Outcomes()
    found = examine(records, outcomes, type(catalog)(sources), only(SECRET.encode()))
    return found, outcomes


def of(data: bytes, place: str) -> Record:
    return Record(place.partition(".")[0], "shardId-0", 1.0, data, place=place)


def test_a_replay_makes_the_events_that_it_wants_and_they_are_called_as_before(
    catalog: Catalog,
) -> None:
    """The last of three that have the same bytes is the third also where the others are left."""
    whole, outcomes = made(catalog, of(generic(LIST, request="r-1"), "7"))
    assert [event.id for event in whole] == [f"r-1#{number}" for number in range(5)]
    assert [event.twin for event in whole] == [0, 0, 1, 0, 2]
    assert (outcomes.parts, outcomes.chosen) == ({"7": 5}, {})
    some, outcomes = made(catalog, of(generic(LIST, request="r-1", only="1,4,9"), "7"))
    assert [event.id for event in some] == ["r-1#1", "r-1#4"]
    assert [event.twin for event in some] == [0, 2]
    assert [event.body_json for event in some] == [b'{"n":1}', b'{"n":0}']
    assert [event.deduplication_key for event in some] == [
        whole[number].deduplication_key for number in (1, 4)
    ]
    assert {event.elements for event in some} == {2}
    assert (outcomes.parts, outcomes.chosen) == ({"7": 2}, {"7": [1, 4]})


def test_what_comes_after_too_many_events_is_delivered_again_unless_it_is_in_their_record(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in their record would come back with them, and be too much again."""
    monkeypatch.setattr(splitting, "MOST_AT_ONCE", 5)
    alone = generic({"n": 1}, request="r-3").replace(b"source=generic", b"source=whole")
    found, outcomes = made(
        catalog,
        of(generic(LIST, request="r-1"), "7"),
        of(generic(LIST, request="r-2"), "7.1"),
        of(alone, "7.2"),
        of(generic(LIST, request="r-4"), "8"),
        whole="whole",
    )
    assert [event.id for event in found] == [*(f"r-1#{number}" for number in range(5)), "r-3"]
    ended = {one.event.id: (one.kind, one.reason) for one in outcomes.all}
    assert ended == {"r-2": ("rejected", "too_many_events"), "r-4": ("unsettled", None)}


@pytest.mark.parametrize("number", [7, True, 1.5])
def test_copies_with_a_number_as_id_meet_in_one_shard(catalog: Catalog, number: float) -> None:
    source = replace(
        catalog.sources["generic"],
        delivery_id_header="",
        delivery_id_paths=PathSet([path_of("id")]),
        delivery_id_needed=1,
    )
    keys = set()
    for attempt in (1, 2):
        body = orjson.dumps({"id": number, "attempt": attempt})
        identity = find_identity(source, {}, orjson.loads(body), body)
        assert identity.complete
        keys.add(partition_text(identity, source, body))
    assert keys == {orjson.dumps(number).decode()}
