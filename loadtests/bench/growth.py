"""How the cost of an event grows: over batch, event, catalogue, and the share of duplicates.

Against the emulator, in another process, but for the catalogue's sources: there only the fan-out's
own work can change, so the services answer at once.
"""

from __future__ import annotations

import base64
import uuid
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from loadtests.bench.floor import floor
from loadtests.bench.handling import invoke, on_no_op_services
from loadtests.bench.measuring import Contender, CpuSample, compare, no_output
from loadtests.bench.payloads import envelopes, github_deliveries, records, small_deliveries
from pipeline.event.compiled_source import load_catalog
from pipeline.event.envelope import decode_envelope, encode_envelope
from pipeline.runtime.collector import without_collection
from pipeline.runtime.deadline import Deadline
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import available_sources, load_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadtests.bench.arena import Arena
    from loadtests.bench.payloads import Webhook

BATCHES = (10, 50, 100, 500, 1_000, 2_000)
KILOBYTES = (1, 4, 16, 64, 250)
SOURCES = (1, 4, 16)
DUPLICATES = (0, 25, 50, 100)
#: Of the batches whose size is not what is varied.
BATCH, LARGE_EVENTS = 200, 50


def run(arena: Arena, rounds: int) -> dict[str, Any]:
    """Measure all of it.

    Returns
    -------
    dict[str, Any]
        `growth`: by what is varied, its value to microseconds of CPU an event; for the size of an
        event also those of a kilobyte, and the floor's.
    """
    github = github_deliveries(arena.sources["github"])
    contenders = {
        **{f"batch {size}": _batches(arena, github, size) for size in BATCHES},
        **{f"kb {size}": _sized(arena, size) for size in KILOBYTES},
        **{f"floor {size}": _floor(arena, size) for size in KILOBYTES},
        **{f"sources {number}": _catalogue(arena, github, number) for number in SOURCES},
        **{f"duplicates {share}": _duplicates(arena, github, share) for share in DUPLICATES},
    }
    encoded = [base64.b64encode(one.body) for one in github]
    contenders["floor github"] = Contender(floor(encoded))
    with no_output():
        found = compare(contenders, rounds)
    by_kilobyte = _points(found, "kb", KILOBYTES)
    return {
        "growth": {
            "batch_size_us": _points(found, "batch", BATCHES),
            "event_kb_us": by_kilobyte,
            "event_kb_us_per_kb": {
                size: round(us / int(size), 2) for size, us in by_kilobyte.items()
            },
            "event_kb_floor_us": _points(found, "floor", KILOBYTES),
            "sources_us": _points(found, "sources", SOURCES),
            "duplicates_percent_us": _points(found, "duplicates", DUPLICATES),
            "floor_us": {"github_10kb": round(found["floor github"].median, 1)},
        }
    }


def _points(found: dict[str, CpuSample], name: str, values: Sequence[int]) -> dict[str, float]:
    return {str(value): round(found[f"{name} {value}"].median, 1) for value in values}


def _handled(make: Callable[[], list[dict[str, Any]]], size: int, arena: Arena) -> Contender:
    """Return the handler on the records that are made, in batches of a size."""
    waiting: list[dict[str, Any]] = []

    def prepare() -> None:
        waiting.extend(make())

    def work() -> int:
        number = len(waiting)
        for start in range(0, number, size):
            invoke(waiting[start : start + size])
        waiting.clear()
        return number

    return Contender(work, prepare, arena.empty)


def _batches(arena: Arena, github: Sequence[Webhook], size: int) -> Contender:
    number = max(size, 500)

    def make() -> list[dict[str, Any]]:
        return records(envelopes(list(islice(cycle(github), number)), arena.sources))

    return _handled(make, size, arena)


def _sized(arena: Arena, kilobytes: int) -> Contender:
    def make() -> list[dict[str, Any]]:
        deliveries = small_deliveries(arena.sources["zoom"], LARGE_EVENTS, kilobytes * 1024)
        return records(envelopes(deliveries, arena.sources))

    return _handled(make, LARGE_EVENTS, arena)


def _floor(arena: Arena, kilobytes: int) -> Contender:
    deliveries = small_deliveries(arena.sources["zoom"], LARGE_EVENTS, kilobytes * 1024)
    return Contender(floor([base64.b64encode(one.body) for one in deliveries]))


def _catalogue(arena: Arena, github: Sequence[Webhook], number: int) -> Contender:
    """Return the fan-out of the same events, with so many sources in the catalogue."""
    others = [name for name in sorted(available_sources()) if name != "github"]
    names = ["github", *others[: number - 1]]
    if len(names) != number:
        raise AssertionError(f"the catalogue has {len(names)} sources")
    package = f"catalogue_of_{number}"
    write_compiled_catalog(load_sources(names), arena.folder, package)
    processor = on_no_op_services(load_catalog(package))
    batch = records(envelopes(list(islice(cycle(github), BATCH)), arena.sources))
    deadline = Deadline(lambda: 60.0)

    @without_collection
    def work() -> int:
        processor.process(batch, deadline)
        return len(batch)

    return Contender(work)


def _duplicates(arena: Arena, github: Sequence[Webhook], percent: int) -> Contender:
    """Return batches of which a share was delivered before, under the same delivery id."""

    def make() -> list[dict[str, Any]]:
        data = envelopes(list(islice(cycle(github), BATCH)), arena.sources)
        known = [one for place, one in enumerate(data) if place * percent % 100 < percent]
        if known:
            invoke(records(known))
        sent_again = set(known)
        return records([again(one) if one in sent_again else one for one in data])

    return _handled(make, BATCH, arena)


def again(envelope: bytes) -> bytes:
    """Return a delivery as its sender would send it again: another request, the same delivery."""
    return encode_envelope(decode_envelope(envelope)._replace(id=f"{uuid.uuid4().hex[:14]}="))
