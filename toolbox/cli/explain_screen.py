"""An explanation for people: a line for each step of the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolbox.project.next_steps import next_step
from toolbox.terminal.output import console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolbox.explaining.explainer import Asked
    from toolbox.explaining.found import (
        BatchTry,
        DoorFacts,
        EventEnding,
        Explanation,
        Passage,
        ReadingNotes,
    )

_LABEL = 15
_BAD = frozenset({"rejected", "failed", "missing", "not settled"})

Line = tuple[str, str]


def tell(found: list[Explanation], identifier: str, asked: Asked, notes: ReadingNotes) -> None:
    """Print what was found, or what was read in vain."""
    if not found:
        _print("not found", f"{identifier}: nothing of the archive has it", "red")
        _print("looked", f"from {asked.start:%Y-%m-%d %H:%M} to {asked.end:%Y-%m-%d %H:%M} UTC")
    for number, one in enumerate(found):
        if number:
            console.print()
        _print("id", f"{one.asked}: {one.meant}", "bold")
        for name, text in _lines(one):
            _print(name, text, "red" if name == "outcome" and text.split(",")[0] in _BAD else None)
    _print("read", "; ".join(notes.told()))
    for what in notes.not_known:
        _print("not known", what, "yellow")
    if not found:
        _print("next", "a longer span: --from 7d; a request that the door refused is in its access")
        _print("", "log alone, and one that came less than a minute ago may not be archived yet")


def _print(name: str, text: str, style: str | None = None) -> None:
    console.print(f"{name:<{_LABEL}}{text}", style=style)


def _lines(one: Explanation) -> Iterator[Line]:
    if one.door is not None:
        yield from _of_door(one.door)
    else:
        yield "door", "the record is no envelope: something else than the door put it there"
    for passage in one.passages:
        yield from _of_passage(passage)


def _of_door(door: DoorFacts) -> Iterator[Line]:
    sender = f" from {door.sender}" if door.sender else ""
    yield "door", f"{door.arrived}, {door.source}{sender}, {door.size:,} bytes"
    yield "", f"answered {door.id}"
    if door.delivery_id:
        yield "delivery id", door.delivery_id
    if door.headers:
        yield "headers kept", ", ".join(door.headers)


def _of_passage(passage: Passage) -> Iterator[Line]:
    if passage.job:
        yield "replay", passage.job
    yield "stream", f"{passage.arrived}, {passage.shard}"
    yield "", f"sequence number {passage.sequence_number}"
    for number, one in enumerate(passage.tries, start=1):
        yield f"try {number}", _try(one)
    if not passage.tries:
        yield "tries", "none in the log of the fan-out"
    several = len(passage.endings) > 1
    for ending in passage.endings:
        if several:
            yield "event", ending.id
        yield from _of_ending(ending)
    if passage.further:
        yield "further", f"{passage.further:,} events of this request; ID#NUMBER asks for one"
    if passage.raw:
        yield "archived in", passage.raw


def _try(one: BatchTry) -> str:
    if one.settled:
        return f"{one.at}, settled, in a batch of {one.records:,}"
    why = "; ".join(one.why) or "its batch failed"
    return f"{one.at}, not settled, in a batch of {one.records:,}: {why}"


def _of_ending(ending: EventEnding) -> Iterator[Line]:
    yield "outcome", ", ".join(filter(None, (ending.outcome, ending.reason)))
    for name, text in (
        ("why", ending.explanation),
        ("copy of", ending.copy_of),
        ("type", ending.event_type),
        ("schema", ending.schema),
        ("rule", ending.schema_place),
        ("kept in", ending.kept_in),
        ("ticket", ending.ticket),
        ("judged now", ending.now),
        ("queue", ending.queue if ending.outcome == "delivered" else ""),
        ("message", ending.queued),
    ):
        if text:
            yield name, text
    if ending.ticket:
        yield "next", next_step(f"dead-letters show {ending.ticket}")
    if ending.mozdef is not None:
        yield "MozDef", ending.mozdef.does
        if ending.mozdef.alerts:
            yield "alerts", ", ".join(ending.mozdef.alerts)
