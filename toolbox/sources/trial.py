"""One request taken through the pipeline's own steps, and what comes of it at each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.envelope import (
    KEY_PREFIX_CHARACTERS,
    Envelope,
    encode_envelope,
    partition_key,
)
from pipeline.event.events import Event
from pipeline.event.outcomes import QUARANTINED, OutcomeKind
from toolbox.sources.checking import describe, explain
from toolbox.sources.mozdef_contract import violations
from toolbox.sources.rehearsal import Rehearsal
from toolbox.sources.samples_as_sent import signs
from toolbox.sources.unproved import without_proof

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog
    from pipeline.event.events import Outcome
    from settings.source.loader import LoadedSource
    from toolbox.sources.rehearsal import Ending
    from toolbox.sources.trial_requests import TriedRequest

MOZDEF_EVENT = "MozDef event"


@dataclass(frozen=True)
class TriedWay:
    """What became of a request.

    Parameters
    ----------
    steps : list[tuple[str, str]]
        The way to the events: each step, and what it said.
    events : list[dict[str, Any]]
        What became of each of its events, the message with Python's numbers.
    fine : bool
        Whether it would be delivered, answered or ignored.
    """

    source: str
    label: str
    outcome: str
    explanation: str
    steps: list[tuple[str, str]]
    events: list[dict[str, Any]]
    messages: list[bytes]
    fine: bool

    def document(self) -> dict[str, Any]:
        """Return it for a program to read."""
        return {
            "source": self.source,
            "outcome": self.outcome,
            "explanation": self.explanation,
            "steps": [{"step": step, "what": what} for step, what in self.steps],
            # As the pipeline's own parser has it: a number of any length becomes one of JSON's.
            "events": [
                {**event, "mozdef": orjson.loads(message or b"null")}
                for event, message in zip(self.events, self.messages, strict=True)
            ],
        }

    def lines(self) -> list[tuple[str, str]]:
        """Return it as labels with what is to be said of each, in the order of the way."""
        lines = list(self.steps)
        for number, event in enumerate(self.events, start=1):
            if len(self.events) > 1:
                lines.append((f"event {number}", ""))
            lines += _event_lines(event)
        lines.append(("outcome", self.outcome))
        return lines


def take_trial(source: LoadedSource, catalog: Catalog, tried: TriedRequest) -> TriedWay:
    """Take a request the whole way, but for the memory of duplicates and the queue."""
    name, request = source.name, tried.request
    taken = catalog if tried.is_checked else without_proof(catalog, source)
    rehearsal = Rehearsal({name: source}, taken, tried.secrets, now=tried.at)
    ending = rehearsal.take(name, request, "try")
    steps = [("request", f"{request.method} /{name}, {len(request.body):,} bytes, {tried.proof}")]
    steps += _door_steps(source, ending, is_checked=tried.is_checked)
    events = [_event(source, outcome) for outcome in ending.outcomes]
    return TriedWay(
        name,
        tried.label,
        describe(ending),
        explain(ending),
        steps,
        events,
        [_message(one) for one in ending.outcomes],
        ending.accepted and not any(event["contract"] for event in events),
    )


def _door_steps(source: LoadedSource, ending: Ending, *, is_checked: bool) -> list[tuple[str, str]]:
    door = ending.door
    if not isinstance(door, Envelope):
        what = describe(ending)
        if what == "answered":
            return [("front door", f"a handshake, answered with {json.dumps(door.told)}")]
        return [("front door", f"{what}: {explain(ending)}")]
    kept = ", ".join(sorted(door.headers)) or "no header"
    return [
        ("front door", "taken"),
        ("envelope", f"{len(encode_envelope(door)):,} bytes, with {kept}"),
        ("partition key", _partition_key(source, door)),
        ("signature", _signature(source, ending, is_checked=is_checked)),
        ("events", str(len(ending.outcomes))),
    ]


#: Of 256 characters, a UUID of the stack's id and a hyphen stand before it.
_LONGEST_ID = 256 - KEY_PREFIX_CHARACTERS


def _partition_key(source: LoadedSource, door: Envelope) -> str:
    direct = source.settings.ingest == "direct"
    key = partition_key(door)
    if not door.key or (direct and len(key) > _LONGEST_ID):
        return "the request's own id"
    return f"{'<stack>-' if direct else ''}{key}"


def _signature(source: LoadedSource, ending: Ending, *, is_checked: bool) -> str:
    if not signs(source.settings):
        return "none; the source proves itself otherwise" + ("" if is_checked else ", not checked")
    if not is_checked:
        return "not checked"
    bad = [one for one in ending.outcomes if one.reason in QUARANTINED]
    return bad[0].explanation if bad else "fits"


def _message(outcome: Outcome) -> bytes:
    return outcome.event.message if isinstance(outcome.event, Event) else b""


def _event(source: LoadedSource, outcome: Outcome) -> dict[str, Any]:
    event = outcome.event
    known = event if isinstance(event, Event) else None
    schemas = source.settings.schemas
    file = schemas.types.get(event.event_type, schemas.default)
    text = _message(outcome)
    message = json.loads(text) if text else None
    return {
        "outcome": str(outcome.reason or outcome.kind),
        "explanation": outcome.explanation,
        "type": event.event_type,
        "delivery_id": known.delivery_id if known else "",
        "deduplication_key": known.deduplication_key if known else "",
        "schema": str(file or "none: any object will do"),
        "queue": known.queue if known else "",
        "contract": violations(message) if message is not None else [],
        "mozdef": message,
    }


def _event_lines(event: dict[str, Any]) -> list[tuple[str, str]]:
    lines = []
    if event["deduplication_key"] or event["outcome"] == OutcomeKind.IGNORED:
        lines += [
            ("type", event["type"] or "none"),
            ("delivery id", event["delivery_id"] or "none: the body's hash stands for it"),
            ("deduplication key", event["deduplication_key"] or "none"),
            ("schema", event["schema"] + (", which it satisfies" if event["mozdef"] else "")),
        ]
    if event["outcome"] != OutcomeKind.DELIVERED:
        lines.append((event["outcome"], event["explanation"]))
    if event["mozdef"] is not None:
        text = json.dumps(event["mozdef"], indent=2, ensure_ascii=False)
        lines += [(MOZDEF_EVENT, text), ("queue", event["queue"])]
    lines += [("contract", broken) for broken in event["contract"]]
    return lines
