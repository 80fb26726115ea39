"""Joins what came in with what became of it, outer record by outer record, in constant memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pipeline.event.event_id import EventId, request_of
from pipeline.event.outcomes import OutcomeKind, Reason
from toolbox.audit.ids import IdsOnDisk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipeline.archive.ledger import LedgerEntry
    from pipeline.archive.lines import Received

DELIVERED, DUPLICATE = OutcomeKind.DELIVERED.value, OutcomeKind.DUPLICATE.value
REJECTED, IGNORED = OutcomeKind.REJECTED.value, OutcomeKind.IGNORED.value
FAILED = OutcomeKind.FAILED.value
#: What only an audit can say.
PENDING, MISSING = "pending", "missing"
OUTCOMES = (DELIVERED, DUPLICATE, REJECTED, IGNORED, FAILED, PENDING, MISSING)
#: Events, and faults, that are kept by themselves, not only counted.
MOST_KEPT, MOST_FAULTS = 100_000, 1_000
#: Kinds of ids; the first is followed by the cause.
_UNRESOLVED, _REDELIVERED, _DISMISSED = "unresolved:", "redelivered", "dismissed"
#: Outcomes after which somebody has to do something.
BAD_ENDS = frozenset({REJECTED, FAILED, MISSING})


@dataclass
class AuditReport:
    """What an audit found.

    Parameters
    ----------
    counts : dict[str, Counter[str]]
        Source to how often each outcome occurred, `<outcome>:<reason>` and `replays` included.
    unarchived : int
        Events of the ledger that `raw/` lacks: the archiver is behind, or failed.
    lost_by_archiver : int
        Those of them for which it had the time, and has no failure record.
    unmatched : list[LedgerEntry]
        These, up to a bound.
    missing : list[Received]
        The events that nothing accounts for, up to a bound; the count is in `counts`.
    unreadable : list[str]
        What could not be read in the archive, and where, up to a bound.
    faults : int
        How much that was.
    unaudited : list[str]
        Hours that could not be audited, and why.
    ended_badly : Counter[str]
        Events that are no replays, by cause: the reason of a rejection, `failed` or `missing`.
    knows_each : bool
        Whether each event that ended badly was told apart; Athena only counts them.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    unarchived: int = 0
    lost_by_archiver: int = 0
    unmatched: list[LedgerEntry] = field(default_factory=list)
    missing: list[Received] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    faults: int = 0
    unaudited: list[str] = field(default_factory=list)
    ended_badly: Counter[str] = field(default_factory=Counter)
    knows_each: bool = True
    #: Events that ended badly, those that a replay delivered, and those dismissed; without the job,
    #: so that a replay is an attempt at the same event.
    _told: IdsOnDisk = field(default_factory=IdsOnDisk, repr=False)

    def add(self, source: str, outcome: str, event_id: str, reason: str | None = None) -> None:
        """Count one event."""
        made_of = EventId.parse(event_id)
        self.add_events(source, outcome, reason, 1, replayed=bool(made_of.job))
        if made_of.job and outcome in {DELIVERED, DUPLICATE}:
            self.add_redelivered(made_of)
        if outcome in BAD_ENDS:
            self.add_unresolved(made_of, reason or outcome)

    def add_events(
        self, source: str, outcome: str, reason: str | None, number: int, *, replayed: bool
    ) -> None:
        """Count events that are not told apart; what was recovered of them is told beside it."""
        counter = self.counts.setdefault(source, Counter())
        counter[outcome] += number
        if reason:
            counter[f"{outcome}:{reason}"] += number
        if replayed:
            counter["replays"] += number
        elif outcome in BAD_ENDS:
            self.ended_badly[reason or outcome] += number

    def add_redelivered(self, event: EventId) -> None:
        """Keep that a replay of an event was delivered.

        Where the request ended badly before it came apart, one of its events stands for it: those
        that ended badly again are told by themselves.
        """
        self._told.add(_REDELIVERED, _without_job(event))
        if event.element is not None:
            self._told.add(_REDELIVERED, str(EventId(event.envelope)))

    def add_unresolved(self, event: EventId, cause: str = REJECTED) -> None:
        """Keep that an event ended badly."""
        self._told.add(_UNRESOLVED + cause, _without_job(event))

    def add_dismissed(self, event: EventId) -> None:
        """Keep that the ticket of an event was dismissed."""
        self._told.add(_DISMISSED, _without_job(event))

    def add_unaccounted(self, event: Received, outcome: str) -> None:
        """Count an event that the ledger lacks, or a part of it."""
        self.add(event.source, outcome, event.id)
        if outcome == MISSING and len(self.missing) < MOST_KEPT:
            self.missing.append(event)

    def add_unreadable(self, what: str, number: int = 1) -> None:
        """Count something that could not be read."""
        self.faults += number
        if len(self.unreadable) < MOST_FAULTS:
            self.unreadable.append(what)

    def add_unarchived(self, entry: LedgerEntry, *, lost: bool) -> None:
        """Count one request that `raw/` lacks, by the first of its events."""
        self.unarchived += 1
        if lost:
            self.lost_by_archiver += 1
            if len(self.unmatched) < MOST_KEPT:
                self.unmatched.append(entry)

    @property
    def holds(self) -> bool:
        """Whether the accounts of fan-out and archiver match, but for what is on its way."""
        return not (self.totals[MISSING] or self.lost_by_archiver or self.unaudited)

    @property
    def totals(self) -> Counter[str]:
        """The counts over all sources."""
        return sum(self.counts.values(), Counter())

    @property
    def reused(self) -> dict[str, int]:
        """How many events had the id of another one, or its body, however they ended."""
        totals = self.totals
        return {
            str(reason): sum(totals[f"{outcome}:{reason}"] for outcome in OUTCOMES)
            for reason in (Reason.ID_REUSED, Reason.BODY_REUSED)
        }

    @property
    def received(self) -> int:
        """How many events there are: each has one of the outcomes."""
        return sum(self.totals[outcome] for outcome in OUTCOMES)

    @property
    def recovered(self) -> int:
        """How many events that ended badly were delivered by a replay."""
        return self._told.count(_UNRESOLVED, also=_REDELIVERED).total()

    @property
    def dismissed(self) -> int:
        """How many events that ended badly have a ticket that somebody dismissed."""
        dismissed = self._told.count(_UNRESOLVED, also=_DISMISSED, without=[_REDELIVERED])
        return dismissed.total()

    @property
    def left_open(self) -> Counter[str]:
        """How many events that ended badly are neither, by cause; each has one of its causes."""
        return self._told.count(_UNRESOLVED, without=[_REDELIVERED, _DISMISSED])


def _without_job(event: EventId) -> str:
    return str(EventId(event.envelope, "", event.element))


def join_shard(
    received: Iterable[Received],
    ledger: Iterable[LedgerEntry],
    report: AuditReport,
    unaccounted: Callable[[Received], str],
    unarchived: Callable[[LedgerEntry], bool],
) -> None:
    """Join one shard's events, both sides in the order of their sequence numbers.

    Parameters
    ----------
    received : Iterable[Received]
        From `raw/`.
    ledger : Iterable[LedgerEntry]
        From `ledger/`.
    unaccounted : Callable[[Received], str]
        Decides about an event that the ledger lacks: failed, pending, missing, or what else is
        known of it.
    unarchived : Callable[[LedgerEntry], bool]
        Tells of an event that `raw/` lacks whether the archiver has lost it.
    """
    for _, raw_group, ledger_group in _merge(received, ledger):
        entries: dict[str, list[LedgerEntry]] = {}
        # The same line can be there twice, when a batch was tried again in other parts.
        for entry in {entry.id: entry for entry in ledger_group}.values():
            entries.setdefault(request_of(entry.id), []).append(entry)
        for event in {event.id: event for event in raw_group}.values():
            known = entries.pop(event.id, None)
            if known is None:
                report.add_unaccounted(event, unaccounted(event))
            else:
                _count(known, report)
                for _ in range(known[0].elements - len(known)):
                    # Its batch was settled: nothing of it is on its way any more.
                    report.add_unaccounted(event, MISSING)
        for known in entries.values():
            report.add_unarchived(known[0], lost=unarchived(known[0]))
            _count(known, report)


def _count(entries: Iterable[LedgerEntry], report: AuditReport) -> None:
    for entry in entries:
        report.add(entry.source, entry.outcome, entry.id, entry.reason)


def _merge(
    left: Iterable[Received], right: Iterable[LedgerEntry]
) -> Iterator[tuple[int, list[Received], list[LedgerEntry]]]:
    """Return the groups of both sides that share a sequence number, in ascending order."""

    def groups(items: Iterable[Any]) -> Iterator[tuple[int, list[Any]]]:
        for sequence, group in groupby(items, key=lambda item: item.sequence):
            yield sequence, list(group)

    lefts, rights = groups(left), groups(right)
    one, other = next(lefts, None), next(rights, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None  # noqa: S101 - the loop's condition
            yield one[0], one[1], []
            one = next(lefts, None)
        elif one is None or other[0] < one[0]:
            yield other[0], [], other[1]
            other = next(rights, None)
        else:
            yield one[0], one[1], other[1]
            one, other = next(lefts, None), next(rights, None)
