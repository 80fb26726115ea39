"""Judges a run: each accepted event has one outcome, and nothing is there that was not sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loadtests.soak.faults import SENT_TWICE
from loadtests.soak.requests import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadtests.soak.evidence import Evidence
    from loadtests.soak.requests import Sent
    from loadtests.soak.senders import Journal

DELIVERED, DUPLICATE, REJECTED, FAILED, LOST = (
    "delivered",
    "duplicate",
    "rejected",
    "failed",
    "lost",
)
#: What may become of a request beside `failed`: the batch of any event can fail.
_ALLOWED = {
    Kind.GENERIC: {DELIVERED},
    Kind.GITHUB: {DELIVERED},
    Kind.COPY: {DELIVERED, DUPLICATE},
    Kind.FORGED: {f"{REJECTED}:bad_signature"},
    Kind.BROKEN: {f"{REJECTED}:invalid_json"},
    Kind.WRONG: {f"{REJECTED}:schema_violation"},
}
_MESSAGES_A_CALL = 10


@dataclass
class Verdict:
    """What a run came to.

    Parameters
    ----------
    outcomes : Counter[str]
        Of the accepted events; `rejected:<reason>` is among them beside `rejected`.
    figures : Counter[str]
        Further counts.
    violations : list[str]
        What must not be.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


def judge(journal: Journal, evidence: Evidence, faults: Mapping[str, int]) -> Verdict:
    """Compare what the senders were told with what is there.

    Parameters
    ----------
    journal : Journal
        What was sent.
    evidence : Evidence
        What became of it.
    faults : Mapping[str, int]
        What the proxy injected, by kind.
    """
    verdict = Verdict(violations=list(journal.faults))
    for identifier, sent in journal.accepted.items():
        outcome = _outcome(identifier, evidence, verdict)
        _count(identifier, sent, outcome, evidence, verdict)
    _look_for_strangers(journal, evidence, verdict)
    _look_for_doubles(evidence, faults, verdict)
    untold = evidence.work - evidence.tickets
    verdict.violations += [f"{key}: no ticket" for key in sorted(untold)]
    return verdict


def _outcome(identifier: str, evidence: Evidence, verdict: Verdict) -> str:
    """Give the one outcome of an event, as an audit would: the ledger's word stands first."""
    by_place: dict[str, set[str]] = {}
    for entry in evidence.ledger.get(identifier, ()):
        reason = f":{entry.reason}" if entry.reason else ""
        by_place.setdefault(entry.place, set()).add(f"{entry.outcome}{reason}")
    for place, found in by_place.items():
        if len(found) > 1:
            verdict.violations.append(f"{identifier} at {place}: {', '.join(sorted(found))}")
    if not by_place:
        if identifier in evidence.remembered:
            return DELIVERED
        return FAILED if identifier in evidence.failed else LOST
    if len(by_place) > 1:
        # The front door was not answered, and put it again: a second record of one event.
        verdict.figures["put_twice"] += 1
    outcomes = set().union(*by_place.values())
    return DELIVERED if DELIVERED in outcomes else min(outcomes)


def _count(identifier: str, sent: Sent, outcome: str, evidence: Evidence, verdict: Verdict) -> None:
    kind, _, reason = outcome.partition(":")
    if kind == DELIVERED and not evidence.messages[sent.token]:
        kind = LOST
        verdict.violations.append(f"{identifier} ({sent.token}): delivered, and on no queue")
    elif kind == LOST:
        verdict.violations.append(f"{identifier} ({sent.token}, {sent.kind}): no outcome")
    elif kind != FAILED and outcome not in _ALLOWED.get(sent.kind, set()):
        verdict.violations.append(f"{identifier} ({sent.token}): {sent.kind} ended as {outcome}")
    verdict.outcomes[kind] += 1
    if reason:
        verdict.outcomes[outcome] += 1
    if identifier not in evidence.places:
        verdict.violations.append(f"{identifier} ({sent.token}): not in raw/")
    if kind == REJECTED and evidence.kept.get(identifier) != (reason, sent.body):
        verdict.violations.append(f"{identifier} ({sent.token}): its body was not kept as it was")
    if identifier in evidence.failed:
        verdict.figures["failed_and_settled"] += kind != FAILED
        verdict.figures["failed_and_sent"] += kind == FAILED and sent.token in evidence.messages
        if evidence.failed[identifier] != sent.body:
            verdict.violations.append(f"{identifier} ({sent.token}): failed with another body")


def _look_for_strangers(journal: Journal, evidence: Evidence, verdict: Verdict) -> None:
    """Find what nobody sent. A request without an answer may be there, once for each attempt."""
    attempts = Counter(sent.token for sent in journal.unanswered)
    ids = evidence.ledger.keys() | evidence.places.keys() | evidence.failed.keys()
    for identifier in sorted(ids - journal.accepted.keys()):
        token = evidence.tokens.get(identifier, "")
        if attempts[token]:
            attempts[token] -= 1
            verdict.figures["unanswered_arrived"] += 1
        else:
            verdict.figures["unknown"] += 1
            verdict.violations.append(f"{identifier} ({token}): nobody sent it")
    sent = {one.token for one in (*journal.accepted.values(), *journal.unanswered)}
    for token in sorted(evidence.messages.keys() - sent):
        verdict.figures["unknown"] += 1
        verdict.violations.append(f"{token}: on a queue, and nobody sent it")
    if evidence.strange:
        verdict.figures["unknown"] += evidence.strange
        verdict.violations.append(f"{evidence.strange} messages without the token of one event")


def _look_for_doubles(evidence: Evidence, faults: Mapping[str, int], verdict: Verdict) -> None:
    """Count what is on the queues twice, and find what explains it.

    Either the call that sent it was cut off before it could remember, or SQS took a batch and its
    answer was lost on the way, so that the batch was sent again.
    """
    places: dict[str, set[str]] = {}
    for identifier, token in evidence.tokens.items():
        places.setdefault(token, set()).update(evidence.places[identifier])
    for token, messages in evidence.messages.items():
        if messages > 1:
            retried = places.get(token, set()) & evidence.retried
            verdict.figures["delivered_twice"] += messages - 1
            verdict.figures["twice_after_cut_call"] += (messages - 1) * bool(retried)
            verdict.figures["twice_after_lost_answer"] += (messages - 1) * (not retried)
    lost_answers = sum(faults.get(name, 0) for name in SENT_TWICE)
    if verdict.figures["twice_after_lost_answer"] > lost_answers * _MESSAGES_A_CALL:
        verdict.violations.append(
            f"{verdict.figures['twice_after_lost_answer']} events were delivered twice though "
            f"their calls ended well, and only {lost_answers} answers of SQS were lost"
        )
