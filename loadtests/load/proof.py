"""The proof of delivery: what became of each accepted event, and what does not add up."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipeline.event.event_id import request_of
from toolbox.audit.join import DELIVERED, DUPLICATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loadtests.load.journal import Accepted
    from loadtests.load.messages import Message

#: How an event may end that was sent as what; a copy can be the first to arrive.
_ENDS: dict[str, set[str]] = {
    "event": {DELIVERED, DUPLICATE},
    "copy": {DELIVERED, DUPLICATE},
    "bad": {"rejected:bad_signature", "rejected:stale_signature"},
}
_MOST_NAMED = 5


@dataclass
class Ends:
    """How events ended, as ledger and failure records say.

    Parameters
    ----------
    by_event : dict[str, str]
        Event id to outcome, `rejected:<reason>` where it was rejected.
    written : list[float]
        For each event how many seconds lie between its arrival and the ledger.
    unreadable : list[str]
        What of the archive could not be read.
    contradictions : list[str]
        Events with two outcomes.
    """

    by_event: dict[str, str] = field(default_factory=dict)
    written: list[float] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)

    def add(self, event_id: str, outcome: str) -> None:
        """Take an outcome; a batch that was tried again may say the same once more."""
        before = self.by_event.setdefault(event_id, outcome)
        if before != outcome:
            self.contradictions.append(f"{event_id}: {before}, and {outcome}")

    def by_request(self) -> dict[str, Counter[str]]:
        """Return what became of the events of each request."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for event_id, outcome in self.by_event.items():
            found[request_of(event_id)][outcome] += 1
        return found


@dataclass(frozen=True)
class LoadProof:
    """What was found.

    Parameters
    ----------
    accepted : int
        Requests that were answered with 2xx.
    outcomes : Mapping[str, int]
        Outcome to how many of these events have it.
    lost : int
        Events of them without an outcome.
    unknown : int
        Events that have an outcome, and whose request nobody was told to be accepted.
    messages : int | None
        How many different messages the queues had; None where they are not ours to read.
    faults : Sequence[str]
        What does not hold.
    """

    accepted: int
    events: int
    outcomes: Mapping[str, int]
    lost: int
    unknown: int
    messages: int | None
    faults: Sequence[str]


def prove(
    accepted: Sequence[Accepted], ends: Ends, *, unanswered: int, alone: bool = True
) -> LoadProof:
    """Account for every accepted request by the ledger.

    Parameters
    ----------
    unanswered : int
        How many requests had no answer as expected: they may have arrived all the same.
    alone : bool
        Whether nobody else sends: then each outcome is that of a request of this test.
    """
    found = ends.by_request()
    outcomes: Counter[str] = Counter()
    faults = _Faults()
    lost = 0
    for one in accepted:
        ended = found.pop(one.id, Counter())
        outcomes += ended
        if missing := max(0, one.events - ended.total()):
            lost += missing
            faults.add("has no outcome", one.id)
        if ended.total() > one.events:
            faults.add("has more outcomes than events", one.id)
        if wrong := set(ended) - _ENDS[one.kind]:
            faults.add(f"was sent as {one.kind} and ended as {', '.join(sorted(wrong))}", one.id)
    unknown = sum(ended.total() for ended in found.values()) if alone else 0
    lines = faults.lines()
    if len(found) > unanswered and alone:
        lines.append(f"{len(found)} requests have an outcome and were never accepted")
    lines += [f"two outcomes: {line}" for line in ends.contradictions[:_MOST_NAMED]]
    lines += [f"unreadable: {line}" for line in ends.unreadable[:_MOST_NAMED]]
    events = sum(one.events for one in accepted)
    return LoadProof(len(accepted), events, outcomes, lost, unknown, None, lines)


def with_messages(
    proof: LoadProof, accepted: Sequence[Accepted], ends: Ends, messages: Iterable[Message]
) -> LoadProof:
    """Hold the proof against what was received from the queues."""
    received = {message.id: message.tokens for message in messages}
    tokens = Counter(token for found in received.values() for token in found)
    delivered = sum(outcome == DELIVERED for outcome in ends.by_event.values())
    # Not every source puts what tells its events apart into its messages.
    telling = {one.source for one in accepted if one.token in tokens}
    # Copies that came to different shards within a moment may both be delivered: two ids, and two
    # messages.
    due: dict[str, list[str]] = defaultdict(list)
    for one in accepted:
        if one.token and one.source in telling and ends.by_event.get(one.id) == DELIVERED:
            due[one.token].append(one.id)
    faults = _Faults()
    for token, ids in due.items():
        if tokens[token] < len(ids):
            faults.add("is delivered, and no message has it", ids[0])
        elif tokens[token] > len(ids):
            faults.add("is delivered, and is in more messages than that", ids[0])
    lines = [*proof.faults, *faults.lines()]
    if len(received) != delivered:
        lines.append(f"{delivered:,} events were delivered, {len(received):,} messages received")
    return replace(proof, messages=len(received), faults=lines)


class _Faults:
    """Counts faults of a kind, and keeps a few ids of each."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}
        self._counts: Counter[str] = Counter()

    def add(self, what: str, identifier: str) -> None:
        self._counts[what] += 1
        if self._counts[what] <= _MOST_NAMED:
            self._found.setdefault(what, []).append(identifier)

    def lines(self) -> list[str]:
        return [
            f"{self._counts[what]:,} times: {what}: {', '.join(found)}"
            for what, found in self._found.items()
        ]
