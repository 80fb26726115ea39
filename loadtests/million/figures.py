"""What a run of a million came to: the figures of a soak run, and where its events came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loadtests.soak.plan import Strike
from loadtests.soak.report import SoakRun

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadtests.soak.books import Books

LEAST_KINDS = 12
#: Each of these has to have struck, however short a run is.
NEEDED = (
    Strike.SPLIT,
    Strike.MERGE,
    Strike.ROTATE,
    Strike.USE_NEW_SECRET,
    Strike.DEPLOY,
    Strike.DISK_FULL,
    Strike.CLOCK,
    Strike.REPLAY,
    Strike.KILL_RUNTIME,
)

#: What senders and operators did is counted beside the faults. A poison record is one fault, and
#: counted by what it killed.
_NO_FAULTS = {
    *("bad_signature", "broken_json", "wrong_schema", "copy", "poison_record", "hanging_record"),
    *(Strike.REPLAY, Strike.USE_NEW_SECRET),
}
_WAYS = """
    SELECT kind, COUNT(*), SUM(times), SUM(events) FROM accepted GROUP BY kind ORDER BY kind
"""
_REPLAYED = """
    SELECT COUNT(*), (
        SELECT COUNT(*) FROM expected e WHERE instr(e.whole, '@')
    ) FROM stream WHERE job != ''
"""


@dataclass(frozen=True)
class MillionRun(SoakRun):
    """A finished run.

    Parameters
    ----------
    wanted : int
        How many events were to be accepted.
    sending_seconds, whole_seconds : float
        How long requests were sent, and how long it took until each event had its outcome.
    most_seconds : float
        How long that may take.
    ways : Mapping[str, Mapping[str, int]]
        Requests and events of each way in.
    """

    wanted: int = 0
    sending_seconds: float = 0.0
    whole_seconds: float = 0.0
    most_seconds: float = 0.0
    ways: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    processor: Mapping[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def events(self) -> int:
        """How many events were accepted."""
        return sum(way["events"] for way in self.ways.values())

    @property
    def fault_kinds(self) -> int:
        """How many kinds of fault have struck."""
        return sum(count > 0 for name, count in self.faults.items() if name not in _NO_FAULTS)

    def misses(self) -> list[str]:
        """Return what the run was to reach and did not."""
        found = []
        if self.events < self.wanted:
            found.append(f"{self.events:,} events were accepted, of {self.wanted:,}")
        if self.whole_seconds > self.most_seconds:
            found.append(f"took {self.whole_seconds:.0f} seconds, of {self.most_seconds:.0f}")
        if self.fault_kinds < LEAST_KINDS:
            found.append(f"{self.fault_kinds} kinds of fault struck, of {LEAST_KINDS}")
        return found + [f"{name}: did not strike" for name in NEEDED if not self.faults[name]]

    @property
    def holds(self) -> bool:
        """Whether the promise was kept, and the run was as large and as hard as it was to be."""
        return super().holds and not self.misses()

    def figures(self) -> dict[str, Any]:
        """Return the figures, as the file has them."""
        return {
            **super().figures(),
            "events_wanted": self.wanted,
            "events_accepted": self.events,
            "events_by_way": {name: dict(way) for name, way in self.ways.items()},
            "fault_kinds": self.fault_kinds,
            "sending_seconds": round(self.sending_seconds, 1),
            "whole_seconds": round(self.whole_seconds, 1),
            "events_per_second": round(self.events / self.whole_seconds, 1),
            "processor_seconds": dict(self.processor),
            "memory": self.memory,
            "misses": self.misses(),
            "notes": self.notes,
        }


def ways_of(books: Books) -> dict[str, dict[str, int]]:
    """Return requests and events by kind of request; what is polled or replayed has no request."""
    found = {
        str(kind): {"requests": int(times), "events": int(events)}
        for kind, _, times, events in books.rows(_WAYS)
    }
    ((records, events),) = books.rows(_REPLAYED)
    return {**found, "replayed": {"requests": int(records), "events": int(events)}}
