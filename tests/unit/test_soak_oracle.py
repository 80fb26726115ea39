"""The judge of the soak run: it must find what a run is made to find."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from loadtests.soak.evidence import Entry, Evidence, read_calls
from loadtests.soak.oracle import Verdict, judge
from loadtests.soak.plan import Strike, make_plan
from loadtests.soak.requests import Kind, Sent
from loadtests.soak.senders import Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def sent(kind: Kind, number: int) -> Sent:
    token = f"soak-1-{number}"
    return Sent(kind, token, "generic", {}, f'{{"n":"{token}"}}'.encode())


def entry(outcome: str, reason: str | None = None, place: str = "s:1") -> list[Entry]:
    return [Entry(outcome, reason, place)]


def a_good_run() -> tuple[Journal, Evidence]:
    """One event of each outcome, a copy, and a request whose connection broke."""
    requests = {
        "delivered": sent(Kind.GITHUB, 1),
        "copy": replace(sent(Kind.GITHUB, 1), kind=Kind.COPY),
        "forged": sent(Kind.FORGED, 2),
        "poison": sent(Kind.POISON, 3),
    }
    journal = Journal(accepted=requests, unanswered=[sent(Kind.GENERIC, 4)])
    evidence = Evidence()
    evidence.ledger["delivered"] = entry("delivered")
    evidence.ledger["copy"] = entry("duplicate", place="s:2")
    evidence.ledger["forged"] = entry("rejected", "bad_signature", "s:3")
    evidence.ledger["broken off"] = entry("delivered", place="s:5")
    for place, identifier in enumerate([*requests, "broken off"], 1):
        evidence.places[identifier] = {f"s:{place}"}
        known = requests.get(identifier)
        evidence.tokens[identifier] = known.token if known else "soak-1-4"
    evidence.kept["forged"] = ("bad_signature", requests["forged"].body)
    evidence.failed["poison"] = requests["poison"].body
    evidence.messages.update(["soak-1-1", "soak-1-4"])
    evidence.work = evidence.tickets = {"aws/lambda/m/s/poison"}
    return journal, evidence


def verdict_of(change: Callable[[Journal, Evidence], object], **faults: int) -> Verdict:
    journal, evidence = a_good_run()
    change(journal, evidence)
    return judge(journal, evidence, faults)


def test_a_good_run_adds_up() -> None:
    verdict = verdict_of(lambda _, __: None)
    assert verdict.violations == []
    names = ("delivered", "duplicate", "rejected", "failed", "lost")
    assert [verdict.outcomes[name] for name in names] == [1, 1, 1, 1, 0]
    assert verdict.figures["unanswered_arrived"] == 1
    assert verdict.figures["unknown"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _, e: e.ledger.pop("delivered"), "no outcome"),
        (lambda _, e: e.messages.pop("soak-1-1"), "delivered, and on no queue"),
        (lambda _, e: e.failed.pop("poison"), "no outcome"),
        (lambda _, e: e.places.pop("copy"), "not in raw/"),
        (lambda _, e: e.kept.update(forged=("bad_signature", b"x")), "not kept as it was"),
        (lambda _, e: e.kept.pop("forged"), "not kept as it was"),
        (lambda _, e: e.failed.update(poison=b"x"), "failed with another body"),
        (lambda _, e: e.ledger.update(forged=entry("delivered")), "on no queue"),
        (lambda _, e: e.ledger.update(delivered=entry("duplicate")), "github ended as duplicate"),
        (
            lambda _, e: e.ledger["delivered"].append(Entry("duplicate", None, "s:1")),
            "delivered at s:1: delivered, duplicate",
        ),
        (lambda j, _: j.unanswered.clear(), "broken off (soak-1-4): nobody sent it"),
        (lambda _, e: e.messages.update(["soak-1-9"]), "on a queue, and nobody sent it"),
        (lambda _, e: e.ledger.update(other=entry("delivered")), "other (): nobody sent it"),
        (lambda _, e: setattr(e, "strange", 1), "without the token of one event"),
        (lambda _, e: e.messages.update(["soak-1-1"]), "0 answers of SQS were lost"),
        (lambda _, e: setattr(e, "tickets", set()), "aws/lambda/m/s/poison: no ticket"),
        (lambda j, _: j.faults.append("answered 200 without an id"), "without an id"),
    ],
)
def test_what_must_not_be_is_found(
    change: Callable[[Journal, Evidence], object], message: str
) -> None:
    found = verdict_of(change).violations
    assert any(message in line for line in found), found


def test_lost_and_unknown_are_counted() -> None:
    assert verdict_of(lambda _, e: e.ledger.pop("delivered")).outcomes["lost"] == 1
    assert verdict_of(lambda _, e: e.messages.pop("soak-1-1")).outcomes["lost"] == 1
    assert verdict_of(lambda j, _: j.unanswered.clear()).figures["unknown"] == 2


def test_a_second_delivery_is_explained_by_a_cut_call_or_a_lost_answer() -> None:
    def twice(_: Journal, evidence: Evidence) -> None:
        evidence.messages["soak-1-1"] += 1

    def twice_after_a_kill(journal: Journal, evidence: Evidence) -> None:
        twice(journal, evidence)
        evidence.retried = {"s:1"}

    verdict = verdict_of(twice_after_a_kill)
    assert verdict.violations == []
    assert verdict.figures["delivered_twice"] == verdict.figures["twice_after_cut_call"] == 1
    verdict = verdict_of(twice, sqs_answer_cut=1)
    assert verdict.violations == []
    assert verdict.figures["twice_after_lost_answer"] == 1


def test_an_event_that_was_put_twice_has_one_outcome() -> None:
    def put_twice(_: Journal, evidence: Evidence) -> None:
        evidence.ledger["delivered"] += entry("duplicate", place="s:9")

    verdict = verdict_of(put_twice)
    assert verdict.violations == []
    assert verdict.figures["put_twice"] == 1
    assert verdict.outcomes["delivered"] == 1


def test_what_the_table_remembers_was_delivered() -> None:
    def not_in_the_ledger(_: Journal, evidence: Evidence) -> None:
        evidence.failed["delivered"] = b'{"n":"soak-1-1"}'
        del evidence.ledger["delivered"]
        evidence.remembered = {"delivered"}

    verdict = verdict_of(not_in_the_ledger)
    assert verdict.violations == []
    assert verdict.outcomes["delivered"] == 1


def test_calls_that_did_not_end_well_are_found(tmp_path: Path) -> None:
    lines = [
        '{"call": "a", "records": ["s:1"]}',
        '{"end": "a", "error": null, "reported": false}',
        '{"call": "b", "records": ["s:2"]}',
        '{"end": "b", "error": "Runtime.ExitError", "reported": false}',
        '{"call": "c", "records": ["s:3"]}',
        '{"end": "c", "error": null, "reported": true}',
        '{"fault": "handler_killed"}',
        '{"call": "d", "records": ["s:4"]}',
        '{"end": "d", "err',
    ]
    log = tmp_path / "calls.jsonl"
    log.write_text("\n".join(lines))
    evidence = Evidence()
    read_calls(evidence, log)
    assert evidence.retried == {"s:2", "s:3", "s:4"}
    assert evidence.faults == {"handler_killed": 1}


def test_a_seed_repeats_its_plan() -> None:
    assert make_plan(3, 180) == make_plan(3, 180)
    assert make_plan(3, 180) != make_plan(4, 180)
    for seed in range(20):
        for seconds in (5, 14, 60, 180):
            plan = make_plan(seed, seconds)
            strikes = {planned.strike for planned in plan}
            assert strikes >= {Strike.WEATHER, Strike.KILL_RUNTIME, Strike.POISON}
            assert all(0 < planned.at < seconds for planned in plan)
