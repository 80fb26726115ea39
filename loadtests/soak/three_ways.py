"""Compares three witnesses: the stream as the soak's own reader saw it, the ledger, the queues.

The senders' journal and `raw/` are held against the stream too. Each check names what it finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator

    from loadtests.soak.books import Books


class _Check(NamedTuple):
    """One comparison; each row that it selects is a difference, described in its one column."""

    figure: str
    name: str
    select: str


#: The figures of the checks are keys of build/soak.json.
_CHECKS = (
    _Check(
        "lost_at_the_door",
        "lost between door and stream",
        """
        SELECT a.id || ' (' || a.token || ')' FROM accepted a
        WHERE NOT EXISTS (SELECT 1 FROM stream s WHERE s.id = a.id)
        ORDER BY a.id
        """,
    ),
    _Check(
        "changed_at_the_door",
        "not on the stream as it was sent",
        """
        SELECT a.id || ' (' || a.token || ') at ' || s.place
        FROM accepted a JOIN stream s USING (id) WHERE s.body != a.body
        ORDER BY s.place
        """,
    ),
    # A record that is on the stream twice needs two lines. Of a request that was rejected before
    # its events were looked at there is one line as a whole.
    _Check(
        "unsettled",
        "read and never settled",
        """
        SELECT e.event || ' at ' || e.place FROM expected e
        WHERE NOT EXISTS (SELECT 1 FROM failed f WHERE f.id = e.whole AND f.place = e.place)
            AND (e.event = e.whole OR NOT EXISTS (
                SELECT 1 FROM ledger l WHERE l.id = e.whole AND l.place = e.place
            ))
        GROUP BY e.place, e.event
        HAVING COUNT(*) > (
            SELECT COALESCE(SUM(l.times), 0) FROM ledger l
            WHERE l.id = e.event AND l.place = e.place
        )
        """,
    ),
    _Check(
        "ledger_unknown",
        "in the ledger and not on the stream",
        """
        SELECT l.id || ' at ' || l.place || ': ' || l.label FROM ledger l
        WHERE NOT EXISTS (SELECT 1 FROM expected e WHERE e.place = l.place AND e.event = l.id)
            AND NOT (l.label LIKE 'rejected:%' AND EXISTS (
                SELECT 1 FROM stream s WHERE s.place = l.place AND s.whole = l.id
            ))
        """,
    ),
    _Check(
        "failed_unknown",
        "in a failure record and not on the stream",
        """
        SELECT f.id || ' at ' || f.place FROM failed f
        WHERE NOT EXISTS (
            SELECT 1 FROM stream s WHERE s.place = f.place AND s.whole = f.id AND s.body = f.body
        )
        """,
    ),
    _Check(
        "contradictions",
        "settled twice with different outcomes",
        """
        SELECT l.id || ' at ' || l.place || ': ' || GROUP_CONCAT(l.label, ', ') FROM ledger l
        GROUP BY l.id, l.place
        HAVING COUNT(*) > 1 AND COUNT(*) > (
            SELECT COUNT(*) FROM expected e WHERE e.place = l.place AND e.event = l.id
        )
        """,
    ),
    # A producer that got no answer puts a record again: one is delivered, each other a duplicate.
    _Check(
        "delivered_at_two_places",
        "on the stream twice, and delivered twice",
        """
        SELECT l.id || ' at ' || GROUP_CONCAT(l.place, ', ') FROM ledger l
        WHERE l.label = 'delivered' GROUP BY l.id HAVING COUNT(*) > 1
        """,
    ),
    _Check(
        "whole_and_in_parts",
        "settled as a whole and in parts",
        """
        SELECT e.event || ' at ' || e.place
        FROM expected e JOIN ledger w ON w.id = e.whole AND w.place = e.place
            JOIN ledger p ON p.id = e.event AND p.place = e.place
        WHERE e.event != e.whole
        """,
    ),
    _Check(
        "delivered_on_no_queue",
        "in the ledger as delivered, and on no queue",
        """
        SELECT e.event || ' (' || e.token || ') at ' || e.place
        FROM ledger l JOIN expected e ON e.place = l.place AND e.event = l.id
        WHERE l.label = 'delivered'
            AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.token = e.token)
        """,
    ),
    # Once for the request itself, and once for each replay that delivered it again.
    _Check(
        "messages_missing",
        "delivered more often than it is on a queue",
        """
        SELECT token || ': ' || due || ' times' FROM (
            SELECT e.token AS token, MAX(instr(l.id, '@') = 0)
                + COUNT(DISTINCT CASE WHEN instr(l.id, '@') THEN l.id END) AS due
            FROM expected e JOIN ledger l ON l.id = e.event AND l.place = e.place
            WHERE l.label = 'delivered' GROUP BY e.token
        ) d
        WHERE due > (SELECT COUNT(*) FROM messages m WHERE m.token = d.token)
        """,
    ),
    _Check(
        "duplicate_of_nothing",
        "in the ledger as a duplicate, of what is on no queue",
        """
        SELECT e.event || ' (' || e.token || ') at ' || e.place
        FROM ledger l JOIN expected e ON e.place = l.place AND e.event = l.id
        WHERE l.label = 'duplicate'
            AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.token = e.token)
        """,
    ),
    _Check(
        "queue_unknown",
        "on a queue and not on the stream",
        """
        SELECT DISTINCT m.token FROM messages m
        WHERE m.token IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM expected e WHERE e.token = m.token)
        """,
    ),
    # Where each try of a batch was cut off after sending, there is a failure record alone. And if
    # the next try has a schema that was deployed in between, it is rejected.
    _Check(
        "queue_undelivered",
        "on a queue, and neither delivered in the ledger nor failed",
        """
        SELECT DISTINCT m.token FROM messages m
        WHERE EXISTS (SELECT 1 FROM expected e WHERE e.token = m.token)
            AND NOT EXISTS (
                SELECT 1 FROM expected e JOIN ledger l ON l.id = e.event AND l.place = e.place
                WHERE e.token = m.token AND l.label = 'delivered'
            )
            AND NOT EXISTS (
                SELECT 1 FROM expected e JOIN failed f ON f.id = e.whole AND f.place = e.place
                WHERE e.token = m.token
            )
            AND NOT EXISTS (
                SELECT 1 FROM accepted a JOIN expected e ON e.token = m.token
                    JOIN retried USING (place)
                WHERE a.token = m.request AND a.kind = 'by the former schema'
            )
        """,
    ),
    _Check(
        "job_unknown",
        "replayed on the stream, by a job that nobody started",
        """
        SELECT DISTINCT job FROM stream
        WHERE job != '' AND job NOT IN (SELECT job FROM jobs)
        """,
    ),
    _Check(
        "not_in_raw",
        "on the stream and not in raw/",
        """
        SELECT s.whole || ' at ' || s.place FROM stream s
        WHERE NOT EXISTS (SELECT 1 FROM places p WHERE p.id = s.whole AND p.place = s.place)
        """,
    ),
    _Check(
        "raw_unknown",
        "in raw/ and not on the stream",
        """
        SELECT p.id || ' at ' || p.place FROM places p
        WHERE NOT EXISTS (SELECT 1 FROM stream s WHERE s.place = p.place AND s.whole = p.id)
        """,
    ),
)
#: What became of each event that is on the stream; a request that was rejected as a whole gives
#: its outcome to each of its events.
_OUTCOMES = """
    SELECT COALESCE(
        (SELECT MIN(label) FROM ledger l WHERE l.id = e.event AND l.place = e.place),
        (SELECT MIN(label) FROM ledger l WHERE l.id = e.whole AND l.place = e.place),
        (SELECT 'failed' FROM failed f WHERE f.id = e.whole AND f.place = e.place),
        'unsettled'
    ) AS outcome, COUNT(*)
    FROM expected e GROUP BY outcome ORDER BY outcome
"""
_REASONS = """
    SELECT label || ':' || reason, COUNT(*) FROM ledger
    WHERE reason != '' AND label NOT LIKE 'rejected:%' GROUP BY 1 ORDER BY 1
"""
_SIZES = {
    "stream_records": "SELECT COUNT(*) FROM stream",
    "stream_events": "SELECT COUNT(*) FROM expected",
    "ledger_events": "SELECT COUNT(*) FROM (SELECT 1 FROM ledger GROUP BY id, place)",
    "queue_messages": "SELECT COUNT(*) FROM messages",
}
#: The keys of the figures: sizes first, then a count for each kind of difference.
THREE_WAYS = (*_SIZES, *(check.figure for check in _CHECKS))


def compare_three_ways(
    books: Books, figures: Counter[str], violate: Callable[[Iterable[str]], None]
) -> None:
    """Make each comparison.

    Parameters
    ----------
    figures : Counter[str]
        Takes the keys of `THREE_WAYS`.
    violate : Callable[[Iterable[str]], None]
        Takes what each check has found.
    """
    for name, select in _SIZES.items():
        figures[name] = books.number(select)
    for check in _CHECKS:
        violate(_found(check, books, figures))


def _found(check: _Check, books: Books, figures: Counter[str]) -> Iterator[str]:
    for (what,) in books.rows(check.select):
        figures[check.figure] += 1
        yield f"{check.name}: {what}"


def stream_outcomes(books: Books) -> dict[str, int]:
    """Return what became of the events on the stream; together they are all of them."""
    return dict(books.rows(_OUTCOMES))


def ledger_reasons(books: Books) -> dict[str, int]:
    """Return which reasons the ledger gives for what was delivered, or is a duplicate."""
    return dict(books.rows(_REASONS))
