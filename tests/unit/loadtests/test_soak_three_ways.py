"""Stream, ledger and queues: what is lost between any two of them has a name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from loadtests.soak.books import digest
from loadtests.soak.report import Oracle, SentCounts, SoakRun, print_run
from loadtests.soak.requests import RequestKind
from loadtests.soak.three_ways import THREE_WAYS
from tests.unit.loadtests.soak_support import AGoodRun, batch, sent, verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.soak.oracle import SoakVerdict

SIZES = ("stream_records", "stream_events", "ledger_events", "queue_messages")


def unread(run: AGoodRun, identifier: str) -> None:
    """Have the reader not note a record."""
    run.drop("stream", identifier)
    run.drop("expected", identifier, "whole")


def rejected_as_a_whole(run: AGoodRun) -> None:
    run.drop("ledger", "batch#%")
    run.in_ledger("batch", 6, "rejected:bad_signature")


def again(run: AGoodRun, label: str, number: int = 9) -> None:
    """Have a producer put an event on the stream a second time."""
    run.on_stream("delivered", sent(RequestKind.GITHUB, 1), number)
    run.read()
    run.in_ledger("delivered", number, label)


def test_a_good_run_tells_the_same_three_times() -> None:
    verdict = verdict_of(lambda _: None)
    assert [verdict.figures[name] for name in SIZES] == [6, 7, 6, 4]
    assert verdict.on_stream == {
        "delivered": 4,
        "duplicate": 1,
        "failed": 1,
        "rejected:bad_signature": 1,
    }
    assert {verdict.figures[name] for name in THREE_WAYS if name not in SIZES} == {0}


CASES: list[tuple[Callable[[AGoodRun], object], str, str]] = [
    (
        lambda r: r.drop("ledger", "delivered"),
        "unsettled",
        "read and never settled: delivered at s:1",
    ),
    (
        lambda r: r.drop("ledger", "batch#1"),
        "unsettled",
        "read and never settled: batch#1 at s:6",
    ),
    (lambda r: r.drop("failed", "poison"), "unsettled", "read and never settled: poison at s:4"),
    (
        lambda r: r.books.change("UPDATE failed SET place = 's:9'"),
        "unsettled",
        "read and never settled: poison at s:4",
    ),
    (
        lambda r: r.books.change("UPDATE ledger SET place = 's:9' WHERE id = 'copy'"),
        "unsettled",
        "read and never settled: copy at s:2",
    ),
    (
        lambda r: r.books.change("UPDATE ledger SET place = 's:9' WHERE id = 'copy'"),
        "ledger_unknown",
        "in the ledger and not on the stream: copy at s:9: duplicate",
    ),
    (
        lambda r: unread(r, "delivered"),
        "ledger_unknown",
        "in the ledger and not on the stream: delivered at s:1: delivered",
    ),
    (
        lambda r: unread(r, "delivered"),
        "lost_at_the_door",
        "lost between door and stream: delivered (soak-1-1)",
    ),
    (
        lambda r: unread(r, "poison"),
        "failed_unknown",
        "in a failure record and not on the stream: poison at s:4",
    ),
    (
        lambda r: r.put("failed", "poison", "s:4", digest(b"x")),
        "failed_unknown",
        "in a failure record and not on the stream: poison at s:4",
    ),
    (
        lambda r: r.books.change("UPDATE places SET id = 'other' WHERE id = 'copy'"),
        "raw_unknown",
        "in raw/ and not on the stream: other at s:2",
    ),
    (
        lambda r: r.books.change("UPDATE places SET id = 'other' WHERE id = 'copy'"),
        "not_in_raw",
        "on the stream and not in raw/: copy at s:2",
    ),
    (
        lambda r: unread(r, "forged"),
        "raw_unknown",
        "in raw/ and not on the stream: forged at s:3",
    ),
    (
        lambda r: r.drop("expected", "batch#1", "event"),
        "ledger_unknown",
        "in the ledger and not on the stream: batch#1 at s:6: delivered",
    ),
    (
        lambda r: r.drop("expected", "batch#1", "event"),
        "queue_unknown",
        "on a queue and not on the stream: soak-1-5.1",
    ),
    (
        lambda r: r.in_ledger("batch#2", 6, "delivered"),
        "ledger_unknown",
        "in the ledger and not on the stream: batch#2 at s:6: delivered",
    ),
    (
        lambda r: r.in_ledger("batch", 6, "delivered"),
        "ledger_unknown",
        "in the ledger and not on the stream: batch at s:6: delivered",
    ),
    (
        lambda r: r.in_ledger("batch", 6, "rejected:bad_signature"),
        "whole_and_in_parts",
        "settled as a whole and in parts: batch#0 at s:6",
    ),
    (
        lambda r: r.drop("messages", "soak-1-4", "token"),
        "delivered_on_no_queue",
        "in the ledger as delivered, and on no queue: broken-off (soak-1-4) at s:5",
    ),
    (
        lambda r: r.drop("messages", "soak-1-5.0", "token"),
        "delivered_on_no_queue",
        "in the ledger as delivered, and on no queue: batch#0 (soak-1-5.0) at s:6",
    ),
    (
        lambda r: r.drop("messages", "soak-1-1", "token"),
        "duplicate_of_nothing",
        "in the ledger as a duplicate, of what is on no queue: copy (soak-1-1) at s:2",
    ),
    (
        lambda r: r.on_queue("m-9", "soak-1-9"),
        "queue_unknown",
        "on a queue and not on the stream: soak-1-9",
    ),
    (
        lambda r: r.on_queue("m-9", "soak-1-2"),
        "queue_undelivered",
        "on a queue, and neither delivered in the ledger nor failed: soak-1-2",
    ),
    (
        lambda r: r.in_ledger("delivered", 1, "duplicate"),
        "contradictions",
        "settled twice with different outcomes: delivered at s:1: delivered, duplicate",
    ),
    (
        lambda r: again(r, "delivered"),
        "delivered_at_two_places",
        "on the stream twice, and delivered twice: delivered at s:1, s:9",
    ),
    (
        lambda r: r.put("accepted", "forged", "soak-1-2", "forged", digest(b"x"), 1),
        "changed_at_the_door",
        "not on the stream as it was sent: forged (soak-1-2) at s:3",
    ),
    (
        lambda r: r.drop("places", "copy"),
        "not_in_raw",
        "on the stream and not in raw/: copy at s:2",
    ),
    (
        lambda r: replayed(r, "delivered", missing=1),
        "messages_missing",
        "delivered more often than it is on a queue: soak-1-5.0: 2 times",
    ),
    (
        lambda r: replayed(r, "delivered", job=""),
        "job_unknown",
        "replayed on the stream, by a job that nobody started: job-1",
    ),
]


def replayed(
    run: AGoodRun, outcome: str, missing: int = 0, *, twice: bool = True, job: str = "job-1"
) -> None:
    """Put the request of two events on the stream again; some messages of that are missing."""
    data = b"v=1&id=batch&ts=1&source=okta&replay=job-1&replays=1\n" + batch(5, 2).body
    run.stream.shards["s"].records.append(("9", data))
    run.read()
    run.put("jobs", job)
    run.put("places", "batch@job-1", "s:9")
    for element in range(2):
        run.in_ledger(f"batch@job-1#{element}", 9, outcome)
        if twice and element >= missing:
            run.on_queue(f"m-again-{element}", f"soak-1-5.{element}")


@pytest.mark.parametrize(("change", "figure", "line"), CASES)
def test_a_difference_is_named_and_counted(
    change: Callable[[AGoodRun], object], figure: str, line: str
) -> None:
    verdict = verdict_of(change)
    assert line in verdict.violations
    assert verdict.figures[figure] == 1 + (line.startswith("settled as a whole"))


def test_each_check_has_a_case_that_it_finds() -> None:
    assert {figure for _, figure, _ in CASES} == set(THREE_WAYS) - set(SIZES)


def test_what_is_on_the_stream_was_sent_by_somebody() -> None:
    def strange(run: AGoodRun) -> None:
        run.on_stream("strange", sent(RequestKind.GENERIC, 99), 9)
        run.read()
        run.in_ledger("strange", 9, "rejected:invalid_json")

    verdict = verdict_of(strange)
    assert verdict.violations == ["strange (soak-1-99): nobody sent it, on the stream"]
    assert verdict.figures["unknown_on_stream"] == verdict.figures["unknown"] == 1


def test_a_request_that_was_rejected_as_a_whole_settles_its_events() -> None:
    def forged(run: AGoodRun) -> None:
        rejected_as_a_whole(run)
        run.drop("messages", "soak-1-5.%", "token")

    verdict = verdict_of(forged)
    # A batch that was signed is not to be rejected, and that is another check's word.
    assert verdict.figures["unsettled"] == verdict.figures["ledger_unknown"] == 0
    assert verdict.on_stream["rejected:bad_signature"] == 3
    assert all("ended as rejected" in line or "kept" in line for line in verdict.violations)


def test_a_record_that_is_on_the_stream_twice_is_settled_at_each_place() -> None:
    verdict = verdict_of(lambda run: again(run, "duplicate"))
    assert verdict.violations == []
    assert verdict.figures["put_twice"] == 1

    def settled_once(run: AGoodRun) -> None:
        again(run, "duplicate")
        run.drop("ledger", "s:9", "place")

    verdict = verdict_of(settled_once)
    assert verdict.violations == ["read and never settled: delivered at s:9"]


def test_twice_in_one_record_is_settled_twice() -> None:
    """An aggregate can hold an event twice: it is delivered, and a duplicate, at one place."""

    def in_one_record(run: AGoodRun) -> None:
        run.books.change(
            "INSERT INTO stream SELECT place, 1, id, whole, source, job, body, token "
            "FROM stream WHERE id = 'delivered'"
        )
        run.books.change(
            "INSERT INTO expected SELECT place, event, 1, whole, token "
            "FROM expected WHERE event = 'delivered'"
        )

    verdict = verdict_of(in_one_record)
    assert verdict.violations == ["read and never settled: delivered at s:1"]

    def settled_twice(run: AGoodRun) -> None:
        in_one_record(run)
        run.in_ledger("delivered", 1, "duplicate")

    assert verdict_of(settled_twice).violations == []


def test_a_reason_of_what_was_delivered_is_counted() -> None:
    def reused(run: AGoodRun) -> None:
        run.drop("ledger", "copy")
        run.in_ledger("copy", 2, "duplicate", "body_reused")

    verdict = verdict_of(reused)
    assert verdict.violations == []
    assert verdict.ledger_reasons == {"duplicate:body_reused": 1}


def test_a_replay_is_known_by_its_envelope() -> None:
    verdict = verdict_of(lambda run: replayed(run, "duplicate", twice=False))
    assert verdict.violations == []
    assert verdict.on_stream["duplicate"] == 3


def test_a_replay_that_delivers_again_is_no_second_delivery() -> None:
    verdict = verdict_of(lambda run: replayed(run, "delivered"))
    assert verdict.violations == []
    assert verdict.figures["delivered_twice"] == verdict.figures["unknown"] == 0
    assert verdict.on_stream["delivered"] == 6


def test_what_was_sent_before_a_schema_was_deployed_may_be_rejected_by_it() -> None:
    def deployed(run: AGoodRun, *, cut: bool) -> None:
        run.drop("ledger", "batch#0")
        run.drop("ledger", "batch#1")
        run.in_ledger("batch", 6, "rejected:schema_violation")
        run.put("kept", "batch", "schema_violation", digest(batch(5, 2).body))
        run.books.change("UPDATE accepted SET kind = 'by the former schema' WHERE id = 'batch'")
        if cut:
            run.put("retried", "s:6")

    verdict = verdict_of(lambda run: deployed(run, cut=True))
    assert verdict.violations == []
    assert verdict.figures["rejected_and_sent"] == 1
    verdict = verdict_of(lambda run: deployed(run, cut=False))
    assert verdict.figures["queue_undelivered"] == 2


def test_a_request_that_arrives_with_fewer_events_is_named() -> None:
    change = "UPDATE accepted SET events = 3 WHERE id = 'batch'"
    verdict = verdict_of(lambda run: run.books.change(change))
    assert verdict.violations == ["batch (soak-1-5): 3 events were sent in it, and 2 arrived"]


def test_the_account_is_printed_and_a_difference_fails_the_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run_of(verdict: SoakVerdict) -> SoakRun:
        journal = AGoodRun().journal
        counts = SentCounts.of(journal)
        return SoakRun(1, 1.0, counts, verdict, counts.answers, 1.0, Oracle(0.0, 0.0, 1.0))

    good = run_of(verdict_of(lambda _: None))
    assert good.holds
    assert set(THREE_WAYS) < set(good.figures())
    assert good.figures()["stream_outcomes"]["delivered"] == 4
    bad = replace(good, verdict=verdict_of(lambda r: r.drop("ledger", "batch#0")))
    assert not bad.holds
    assert bad.figures()["unsettled"] == 1
    print_run(bad)
    printed = capsys.readouterr().out
    assert "read beside the product" in printed
    assert "does not hold: read and never settled: batch#0 at s:6" in printed
