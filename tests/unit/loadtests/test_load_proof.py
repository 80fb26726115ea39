"""The second phase of the load test: percentiles, the join, and the account of every event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtests.load.figures import delivery_seconds, percentile, spread
from loadtests.load.journal import Accepted, Counting, Journal, JournalError, read_journals
from loadtests.load.messages import Message
from loadtests.load.processes import microseconds_for_each
from loadtests.load.proof import Ends, prove, with_messages
from loadtests.load.results import rates

if TYPE_CHECKING:
    from pathlib import Path


def accepted(identifier: str, kind: str = "event", token: str = "", events: int = 1) -> Accepted:
    return Accepted(identifier, "github", kind, token, events, 100.0)


def ended(**outcomes: str) -> Ends:
    ends = Ends()
    for identifier, outcome in outcomes.items():
        ends.add(identifier, outcome)
    return ends


@pytest.mark.parametrize(
    ("share", "expected"), [(0.01, 1), (0.5, 50), (0.95, 95), (0.99, 99), (0.991, 100), (1, 100)]
)
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile(list(range(1, 101)), share) == expected
    assert percentile([7.0], share) == 7.0


def test_latencies_are_told_in_milliseconds() -> None:
    seconds = [number / 1000 for number in range(100, 0, -1)]
    assert spread(seconds, "delivery_") == {
        "delivery_p50_ms": 50.0,
        "delivery_p95_ms": 95.0,
        "delivery_p99_ms": 99.0,
    }
    assert spread([]) == {}


def test_a_message_is_joined_with_its_answer_by_the_token_in_it() -> None:
    sent = [
        accepted("a", token="t1")._replace(answered=10.0),
        accepted("b", token="t2")._replace(answered=20.0),
        accepted("copy of b", "copy", token="t2")._replace(answered=21.0),
        accepted("no token"),
        accepted("rejected", "bad", token="t3"),
    ]
    outcomes = {"a": "delivered", "b": "delivered", "copy of b": "duplicate", "rejected": "x"}
    messages = [
        Message("1", 10.5, ("t1", "a token of something else")),
        Message("2", 20.25, ("t2",)),
        Message("3", 1.0, ("t3",)),
        Message("4", 1.0, ()),
    ]
    assert sorted(delivery_seconds(sent, messages, outcomes)) == [0.25, 0.5]


def test_what_adds_up_has_no_fault() -> None:
    sent = [
        accepted("a", token="t1"),
        accepted("b", "copy", token="t1"),
        accepted("c", "bad"),
        accepted("d", events=2),
    ]
    outcomes = {"b": "duplicate", "c": "rejected:bad_signature", "d#0": "delivered"}
    ends = ended(a="delivered", **outcomes, **{"d#1": "delivered"})
    proof = prove(sent, ends, unanswered=0)
    messages = [Message("1", 1, ("t1",)), Message("2", 1, ()), Message("3", 1, ())]
    proof = with_messages(proof, sent, ends, messages)
    assert (proof.accepted, proof.events, proof.lost, proof.unknown) == (4, 5, 0, 0)
    assert proof.outcomes == {"delivered": 3, "duplicate": 1, "rejected:bad_signature": 1}
    assert proof.messages == 3
    assert proof.faults == []


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (ended(), "1 times: has no outcome: a"),
        (ended(a="failed"), "1 times: was sent as event and ended as failed: a"),
        (
            ended(a="rejected:schema_violation"),
            "1 times: was sent as event and ended as rejected:schema_violation: a",
        ),
        (ended(**{"a#0": "delivered", "a#1": "delivered"}), "more outcomes than events: a"),
        (ended(a="delivered", b="delivered"), "1 requests have an outcome and were never accepted"),
    ],
)
def test_what_does_not_add_up_is_a_fault(ends: Ends, said: str) -> None:
    (fault,) = prove([accepted("a")], ends, unanswered=0).faults
    assert said in fault


def test_an_event_that_is_lost_is_counted() -> None:
    ends = ended(**{"a#0": "delivered"})
    assert prove([accepted("a", events=3), accepted("b")], ends, unanswered=0).lost == 3


def test_a_request_whose_answer_was_lost_may_have_arrived() -> None:
    proof = prove([], ended(a="delivered"), unanswered=1)
    assert (proof.unknown, proof.faults) == (1, [])


def test_others_may_send_to_what_runs_already() -> None:
    proof = prove([accepted("a")], ended(a="delivered", b="failed"), unanswered=0, alone=False)
    assert (proof.unknown, proof.faults) == (0, [])


def test_two_outcomes_of_one_event_are_a_fault() -> None:
    ends = ended(a="delivered")
    ends.add("a", "delivered")
    assert not ends.contradictions
    ends.add("a", "duplicate")
    (fault,) = prove([accepted("a")], ends, unanswered=0).faults
    assert fault == "two outcomes: a: delivered, and duplicate"


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], ["2 events were delivered, 0 messages received"]),
        (
            [Message("1", 1, ("t1",)), Message("2", 1, ())],
            ["1 times: is delivered, and no message has it: b"],
        ),
        (
            [Message("1", 1, ("t1",)), Message("2", 1, ("t2",)), Message("3", 1, ("t2",))],
            [
                "1 times: is delivered, and is in more messages than that: b",
                "2 events were delivered, 3 messages received",
            ],
        ),
        ([Message("1", 1, ("t1",)), Message("1", 1, ("t1",)), Message("2", 1, ("t2",))], []),
    ],
)
def test_messages_are_held_against_what_was_delivered(
    messages: list[Message], said: list[str]
) -> None:
    sent = [accepted("a", token="t1"), accepted("b", token="t2")]
    ends = ended(a="delivered", b="delivered")
    proof = with_messages(prove(sent, ends, unanswered=0), sent, ends, messages)
    assert list(proof.faults) == said


def test_copies_in_two_shards_may_both_be_delivered() -> None:
    sent = [accepted("a", token="t"), accepted("b", "copy", token="t")]
    ends = ended(a="delivered", b="delivered")
    messages = [Message("1", 1, ("t",)), Message("2", 1, ("t",))]
    assert not with_messages(prove(sent, ends, unanswered=0), sent, ends, messages).faults


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    sent = [accepted("a", token="t"), accepted("b", "copy", events=3)]
    counting = Counting(tmp_path)
    assert counting.count() == 0
    with Journal(tmp_path) as journal:
        journal.write(sent[0])
        journal.flush()
        assert counting.count() == 1
        journal.write(sent[1])
    assert counting.count() == 2
    assert list(read_journals(tmp_path)) == sent


def test_a_journal_that_is_broken_off_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "accepted-1.tsv").write_text("a\tgithub\tevent\t-\t1\t1.0\nb\tgith")
    with pytest.raises(JournalError, match="line 2: broken off"):
        list(read_journals(tmp_path))


def test_rates_count_events_and_the_slowest_ten_seconds() -> None:
    at = [*(number / 10 for number in range(100)), *(10 + number / 2 for number in range(21))]
    sent = [accepted(str(second))._replace(answered=1_000 + second) for second in at]
    sent[0] = sent[0]._replace(events=3)
    assert rates(sent) == {
        "events_per_second": 6.2,
        "seconds": 20.0,
        "events_per_second_slowest_10_s": 2.0,
    }
    assert rates(sent[:1])["events_per_second"] == 0


def test_processor_time_is_told_for_each_event() -> None:
    before, after = {"gateway": 1.0}, {"gateway": 1.5, "locust": 2.0}
    used = microseconds_for_each(before, after, 1_000)
    assert list(used.items()) == [("locust", 2_000.0), ("gateway", 500.0)]
    assert microseconds_for_each(before, after, 0) == {}
