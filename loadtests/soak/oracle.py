"""Judges a run: each accepted event has one outcome, and nothing is there that was not sent.

Here the senders' journal is held against what is there; `three_ways` compares stream, ledger and
queues.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from loadtests.soak.faults import SENT_TWICE
from loadtests.soak.requests import RequestKind
from loadtests.soak.three_ways import compare_three_ways, ledger_reasons, stream_outcomes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from loadtests.soak.books import Books
    from loadtests.soak.senders import SendersJournal

DELIVERED, DUPLICATE, REJECTED, FAILED, LOST = (
    "delivered",
    "duplicate",
    "rejected",
    "failed",
    "lost",
)
#: What may become of a request beside `failed`: the batch of any event can fail.
_ALLOWED = {
    RequestKind.GENERIC: {DELIVERED},
    RequestKind.GITHUB: {DELIVERED},
    RequestKind.BATCH: {DELIVERED},
    RequestKind.SMALL: {DELIVERED},
    RequestKind.REAL: {DELIVERED},
    RequestKind.LINES: {DELIVERED},
    RequestKind.POLLED: {DELIVERED, DUPLICATE},
    RequestKind.FORMER: {DELIVERED, f"{REJECTED}:schema_violation"},
    RequestKind.PRESENT: {DELIVERED},
    RequestKind.OUTDATED: {f"{REJECTED}:schema_violation"},
    RequestKind.COPY: {DELIVERED, DUPLICATE},
    RequestKind.FORGED: {f"{REJECTED}:bad_signature"},
    RequestKind.BROKEN: {f"{REJECTED}:invalid_json"},
    RequestKind.WRONG: {f"{REJECTED}:schema_violation"},
}
_MESSAGES_A_CALL = 10
# Of each kind. All are counted; nobody reads thousands.
_MOST_KEPT = 200


def _original(column: str) -> str:
    """Return SQL for the id of a request without the job that replayed it."""
    return f"substr({column}, 1, instr({column} || '@', '@') - 1)"


#: What the ledger says of each request, over all the places where it is on the stream: it is
#: delivered where each event in it is.
_SETTLED = """
    CREATE TABLE settled (id PRIMARY KEY, delivered, least, places, events) WITHOUT ROWID
"""
_SETTLE = """
    INSERT INTO settled
    SELECT request, MIN(delivered),
        COALESCE(MIN(CASE WHEN NOT delivered THEN least END), MIN(least)), MAX(places), COUNT(*)
    FROM (
        SELECT request, MAX(label = 'delivered') AS delivered, MIN(label) AS least,
            COUNT(DISTINCT place) AS places
        FROM ledger GROUP BY id
    ) GROUP BY request
"""
#: A row for each accepted request, with all that is known of it. How many events it carries is
#: known from the stream; `$` comes after the `#` of their ids.
_ACCEPTED = """
    SELECT a.id, a.token, a.kind, a.times, a.body, a.events,
        s.delivered, s.least, s.places, s.events, r.id IS NOT NULL,
        (
            SELECT COUNT(DISTINCT e.event) FROM stream r JOIN expected e
                ON e.place = r.place AND e.event >= r.whole AND e.event < r.whole || '$'
            WHERE r.id = a.id AND r.job = ''
        ),
        (SELECT COUNT(DISTINCT m.token) FROM messages m WHERE m.request = a.token),
        k.reason, k.body,
        EXISTS (SELECT 1 FROM failed f WHERE f.id = a.id),
        EXISTS (SELECT 1 FROM failed f WHERE f.id = a.id AND f.body != a.body)
    FROM accepted a LEFT JOIN settled s USING (id) LEFT JOIN remembered r USING (id)
        LEFT JOIN kept k USING (id)
    ORDER BY a.id
"""
#: What is there, and was not accepted. A request without an answer may be there, once for each
#: attempt. What was put there again by a replay is not counted anew.
_STRANGERS = f"""
    SELECT s.id, s.token, s.read, s.number <= COALESCE(u.times, 0) FROM (
        SELECT e.id, COALESCE(r.token, t.token, '') AS token, r.token IS NOT NULL AS read,
            ROW_NUMBER() OVER (
                PARTITION BY COALESCE(r.token, t.token, '') ORDER BY e.id
            ) AS number
        FROM (
            SELECT {_original("request")} AS id FROM ledger UNION
            SELECT {_original("id")} FROM places UNION
            SELECT {_original("id")} FROM failed UNION SELECT id FROM stream
        ) e LEFT JOIN tokens t USING (id)
            LEFT JOIN (SELECT id, MIN(token) AS token FROM stream GROUP BY id) r USING (id)
        WHERE NOT EXISTS (SELECT 1 FROM accepted a WHERE a.id = e.id)
    ) s LEFT JOIN unanswered u ON u.token = s.token
    ORDER BY s.id
"""  # noqa: S608 - ours
_STRANGE_MESSAGES = """
    SELECT DISTINCT token FROM messages m
    WHERE token IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM accepted a WHERE a.token = m.request)
        AND NOT EXISTS (SELECT 1 FROM unanswered u WHERE u.token = m.request)
    ORDER BY token
"""
#: How many messages too many there are of each event, and whether a call with it was cut off. A
#: replay that is to deliver it once more does so.
DOUBLES = """
    SELECT d.token, times - due, EXISTS (
        SELECT 1 FROM expected e JOIN retried USING (place) WHERE e.token = d.token
    )
    FROM (
        SELECT m.token AS token, COUNT(*) AS times, (
            SELECT MAX(1, COUNT(DISTINCT CASE WHEN instr(l.id, '@') THEN l.id END)
                + COALESCE(MAX(instr(l.id, '@') = 0), 0))
            FROM expected e JOIN ledger l ON l.id = e.event AND l.place = e.place
            WHERE e.token = m.token AND l.label = 'delivered'
        ) AS due
        FROM messages m WHERE token IS NOT NULL GROUP BY token HAVING COUNT(*) > 1
    ) d WHERE times > due
"""


@dataclass
class SoakVerdict:
    """What a run came to.

    Parameters
    ----------
    outcomes : Counter[str]
        Of the accepted events; `rejected:<reason>` is among them beside `rejected`.
    violations : list[str]
        What must not be; the first 200 of each check.
    violated : int
        How many there are.
    on_stream : dict[str, int]
        What became of the events on the stream, by outcome.
    ledger_reasons : dict[str, int]
        Which reasons the ledger gives for what was delivered, or is a duplicate.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    violated: int = 0
    on_stream: dict[str, int] = field(default_factory=dict)
    ledger_reasons: dict[str, int] = field(default_factory=dict)

    def violate(self, lines: Iterable[str]) -> None:
        """Add what one check has found."""
        for number, line in enumerate(lines):
            self.violated += 1
            if number < _MOST_KEPT:
                self.violations.append(line)


class _Event(NamedTuple):
    """A row of `_ACCEPTED`."""

    id: str
    token: str
    kind: str
    times: int
    body: bytes
    sent_events: int
    delivered: int | None
    least: str | None
    places: int | None
    settled: int | None
    remembered: int
    events: int
    on_queue: int
    kept_reason: str | None
    kept_body: bytes | None
    has_failed: int
    failed_otherwise: int

    @property
    def outcome(self) -> str:
        """Its one outcome, as an audit would give it: the ledger's word stands first."""
        if self.least is not None and self.settled is not None:
            in_part = self.settled < self.events and not self.least.startswith(REJECTED)
            return LOST if in_part else DELIVERED if self.delivered else self.least
        if self.remembered:
            return DELIVERED
        return FAILED if self.has_failed else LOST


def judge(journal: SendersJournal, books: Books, faults: Mapping[str, int]) -> SoakVerdict:
    """Compare what the senders were told with what is there."""
    journal.flush()
    verdict = SoakVerdict()
    verdict.violate(f"answered {status} without an id" for status in journal.nameless.elements())
    books.change(_SETTLED)
    books.change(_SETTLE)
    compare_three_ways(books, verdict.figures, verdict.violate)
    verdict.on_stream = stream_outcomes(books)
    verdict.ledger_reasons = ledger_reasons(books)
    verdict.violate(_judge_accepted(books, verdict))
    verdict.violate(_strangers(books, verdict))
    verdict.violate(_doubles(books, faults, verdict))
    untold = books.rows("SELECT key FROM work EXCEPT SELECT key FROM tickets ORDER BY key")
    verdict.violate(f"{key}: no ticket" for (key,) in untold)
    return verdict


def _judge_accepted(books: Books, verdict: SoakVerdict) -> Iterator[str]:
    for row in books.rows(_ACCEPTED):
        event = _Event._make(row)
        if event.times > 1:
            yield f"{event.id} ({event.token}): {event.times} requests were answered with this id"
        # The front door was not answered, and put it again: a second record of one event.
        verdict.figures["put_twice"] += (event.places or 0) > 1
        yield from _count(event, verdict)


def _count(event: _Event, verdict: SoakVerdict) -> Iterator[str]:
    outcome = event.outcome
    kind, _, reason = outcome.partition(":")
    name = f"{event.id} ({event.token})"
    if event.events not in {0, event.sent_events}:
        yield f"{name}: {event.sent_events} events were sent in it, and {event.events} arrived"
    if kind == DELIVERED and event.on_queue < max(1, event.events):
        kind = LOST
        yield f"{name}: delivered, and on no queue"
    elif kind == LOST:
        yield f"{name}, {event.kind}: no outcome"
    elif kind != FAILED and outcome not in _ALLOWED.get(RequestKind(event.kind), set()):
        yield f"{name}: {event.kind} ended as {outcome}"
    verdict.outcomes[kind] += 1
    verdict.figures["rejected_and_sent"] += kind == REJECTED and event.on_queue > 0
    if reason:
        verdict.outcomes[outcome] += 1
    if kind == REJECTED and (event.kept_reason, event.kept_body) != (reason, event.body):
        yield f"{name}: its body was not kept as it was"
    if event.has_failed:
        verdict.figures["failed_and_settled"] += kind != FAILED
        verdict.figures["failed_and_sent"] += kind == FAILED and event.on_queue > 0
        if event.failed_otherwise:
            yield f"{name}: failed with another body"


def _strangers(books: Books, verdict: SoakVerdict) -> Iterator[str]:
    """Find what nobody sent."""
    for identifier, token, read, unanswered in books.rows(_STRANGERS):
        verdict.figures["unanswered_arrived" if unanswered else "unknown"] += 1
        if not unanswered:
            verdict.figures["unknown_on_stream"] += read
            where = "on the stream" if read else "not on the stream"
            yield f"{identifier} ({token}): nobody sent it, {where}"
    for (token,) in books.rows(_STRANGE_MESSAGES):
        verdict.figures["unknown"] += 1
        yield f"{token}: on a queue, and nobody sent it"
    if strange := books.number("SELECT COUNT(*) FROM messages WHERE token IS NULL"):
        verdict.figures["unknown"] += strange
        yield f"{strange} messages without the token of one event"


def _doubles(books: Books, faults: Mapping[str, int], verdict: SoakVerdict) -> Iterator[str]:
    """Count what is on the queues twice, and find what explains it.

    Either the call that sent it was cut off before it could remember, or SQS took a batch and its
    answer was lost on the way, so that the batch was sent again.
    """
    for _, more, cut in books.rows(DOUBLES):
        verdict.figures["delivered_twice"] += more
        verdict.figures["twice_after_cut_call" if cut else "twice_after_lost_answer"] += more
    lost_answers = sum(faults.get(name, 0) for name in SENT_TWICE)
    if verdict.figures["twice_after_lost_answer"] > lost_answers * _MESSAGES_A_CALL:
        yield (
            f"{verdict.figures['twice_after_lost_answer']} events were delivered twice though "
            f"their calls ended well, and only {lost_answers} answers of SQS were lost"
        )
