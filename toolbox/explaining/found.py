"""What is known of one request: plain data, for a terminal, for a program, and for a console."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DoorFacts:
    """How a request came in.

    Parameters
    ----------
    id : str
        The one that the door answered, and that the envelope has.
    arrived : str
        When the door took it; an ISO 8601 time in UTC.
    delivery_id : str
        The sender's, from a header; empty where no header has it.
    sender : str
        Its address.
    headers : tuple[str, ...]
        The names of those that were kept: a value can be what authenticates a sender.
    size : int
        Of the body, in bytes.
    """

    id: str
    source: str
    arrived: str
    delivery_id: str
    sender: str
    headers: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class BatchTry:
    """One invocation of the fan-out with a batch that held the record.

    Parameters
    ----------
    at : str
        When it ended; an ISO 8601 time in UTC.
    settled : bool
        Whether the record was settled by it.
    why : tuple[str, ...]
        What its log says of why some of it was not; empty where all was.
    """

    at: str
    request_id: str
    records: int
    settled: bool
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class MozdefFate:
    """What MozDef makes of the message, by the model of its worker, plugins and index.

    Parameters
    ----------
    does : str
        In words.
    alerts : tuple[str, ...]
        Those that can match the document.
    """

    does: str
    rewritten_by: str = ""
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True)
class EventEnding:
    """How one event of a request ended.

    Parameters
    ----------
    outcome : str
        The ledger's word; `failed`, `not settled` or `missing` where it has none.
    explanation : str
        Why, as the archive has it; else as it is judged now.
    kept_in : str
        The object that keeps it where it was rejected or given up, and its ticket.
    schema : str
        The schema's file, where its type has one.
    schema_place : str
        The rule that it breaks: a JSON Pointer into that file.
    copy_of : str
        The event that was delivered in its place.
    now : str
        What would become of it by the sources as they are on this machine.
    queue : str
        Where its message went, or would go.
    queued : str
        Where the message is now.
    """

    id: str
    outcome: str
    reason: str = ""
    explanation: str = ""
    kept_in: str = ""
    ticket: str = ""
    event_type: str = ""
    delivery_id: str = ""
    schema: str = ""
    schema_place: str = ""
    copy_of: str = ""
    now: str = ""
    queue: str = ""
    queued: str = ""
    mozdef: MozdefFate | None = None


@dataclass(frozen=True)
class Passage:
    """One time that the request was on the stream: as it came, or put there by a replay.

    Parameters
    ----------
    job : str
        The replay job; empty for the request as it came.
    arrived : str
        When it reached the stream; an ISO 8601 time in UTC.
    raw : str
        The object of `raw/` that has it; empty where it was not read.
    """

    job: str
    shard: str
    sequence_number: str
    arrived: str
    raw: str = ""
    tries: tuple[BatchTry, ...] = ()
    endings: tuple[EventEnding, ...] = ()
    #: Of a request with more events than are shown.
    further: int = 0


@dataclass(frozen=True)
class Explanation:
    """All that was found for an id.

    Parameters
    ----------
    asked : str
        The id that was given.
    meant : str
        What it is the id of.
    read : tuple[str, ...]
        What was read, and how much of it.
    not_known : tuple[str, ...]
        What could not be read or told, and why.
    """

    asked: str
    meant: str
    door: DoorFacts | None = None
    passages: tuple[Passage, ...] = ()
    read: tuple[str, ...] = ()
    not_known: tuple[str, ...] = ()


@dataclass
class ReadingNotes:
    """Gathers what was read, and what could not be."""

    objects: dict[str, int] = field(default_factory=dict)
    size: int = 0
    hours: set[str] = field(default_factory=set)
    not_known: list[str] = field(default_factory=list)

    def take(self, prefix: str, size: int) -> None:
        """Count an object that was read."""
        self.objects[prefix] = self.objects.get(prefix, 0) + 1
        self.size += size

    def lacks(self, what: str) -> None:
        """Keep what could not be known, once."""
        if what not in self.not_known:
            self.not_known.append(what)

    def told(self) -> tuple[str, ...]:
        """Say how much was read."""
        lines = [f"{number:,} objects of {name}" for name, number in sorted(self.objects.items())]
        if self.hours:
            first, last = (_plain(one(self.hours)) for one in (min, max))
            lines.append(f"of {first} to {last} UTC" if last != first else f"of {first} UTC")
        return (*lines, f"{self.size / 1e6:,.1f} MB in all")


def _plain(hour: str) -> str:
    """Write an hour's folder as people do: `2026-11-26 17h`."""
    day, _, clock = hour.strip("/").partition("/")
    return f"{day.partition('=')[2]} {clock.partition('=')[2]}h"
