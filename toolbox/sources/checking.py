"""Checks that each sample of a source ends as it says (build and command line only)."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.event.event_id import EventId
from pipeline.event.events import Event, Outcome, duplicate
from pipeline.event.outcomes import OutcomeKind, Reason
from pipeline.receiving.answers import Answer
from settings.bounded import OUTSIDE, MissingFileError, UnfitFileError, leads_out, read_own
from settings.faults import Fault
from settings.source.loader import SourceError
from settings.source.schema_agreement import disagreement
from toolbox.sources.checking_door import is_handshake
from toolbox.sources.checking_proofs import spoilt_faults
from toolbox.sources.index_faults import message_faults
from toolbox.sources.mozdef_contract import violations
from toolbox.sources.rehearsal import Ending, Rehearsal, compiled, make_secret
from toolbox.sources.samples import load_samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from settings.source.loader import LoadedSource
    from toolbox.sources.sample_file import Expectation
    from toolbox.sources.samples import LoadedSample

#: Requests arrive at this moment, so that a MozDef event is the same at each check.
ARRIVAL = 1_795_464_503.123


@dataclass(frozen=True)
class CheckedSample:
    """What became of one sample.

    Parameters
    ----------
    expected, actual : str
        How it had to end, and how it ended, in the same words.
    faults : tuple[str, ...]
        What differs, and why; empty where all is as it must be.
    explanation : str
        What the pipeline said about an event that it did not deliver.
    diff : str
        How the MozDef events differ from those that are kept beside the sample.
    messages : tuple[Any, ...]
        The MozDef events.
    types : tuple[str, ...]
        The types of its events, as far as the pipeline came to them.
    """

    source: str
    sample: str
    expected: str
    actual: str
    faults: tuple[str, ...] = ()
    explanation: str = ""
    diff: str = ""
    messages: tuple[Any, ...] = ()
    types: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether it ended as it must."""
        return not self.faults and not self.diff


def check_sources(
    sources: Mapping[str, LoadedSource], *, update: bool = False
) -> list[CheckedSample]:
    """Run every sample of these sources through the steps of the pipeline.

    Parameters
    ----------
    sources : Mapping[str, LoadedSource]
        The sources, by name.
    update : bool
        Write the MozDef events of each delivered sample beside it, for the next check to compare.

    Raises
    ------
    SourceError
        When a sample cannot be read.
    """
    checked = []
    with compiled(sources) as catalog:
        secrets = (make_secret(), make_secret())
        rehearsal = Rehearsal(sources, catalog, secrets, now=ARRIVAL)
        for _, source in sorted(sources.items()):
            memory: dict[str, str] = {}
            for sample in load_samples(source):
                ending = _without_duplicates(rehearsal.play(sample), sample.name, memory)
                spoilt = tuple(spoilt_faults(rehearsal, sample))
                checked.append(_check(sample, ending, spoilt, update=update))
    return checked


def _without_duplicates(ending: Ending, name: str, memory: dict[str, str]) -> Ending:
    outcomes = []
    for outcome in ending.outcomes:
        event = outcome.event
        if outcome.kind is OutcomeKind.DELIVERED and isinstance(event, Event):
            key = event.deduplication_key
            if key in memory:
                why = f"the same event as in sample {memory[key]}, by deduplication key {key}"
                outcome = duplicate(event, why)  # noqa: PLW2901
            else:
                memory[key] = name
        outcomes.append(outcome)
    return Ending(ending.door, tuple(outcomes))


def _check(
    sample: LoadedSample, ending: Ending, spoilt: tuple[str, ...], *, update: bool
) -> CheckedSample:
    expect = sample.settings.expect
    expected, actual = _expected(expect), describe(ending)
    explanation = explain(ending)
    faults = list(_judged_otherwise(sample.source, ending))
    if expected != actual:
        faults.append(
            f"expected {expected}, is {actual}" + (f": {explanation}" if explanation else "")
        )
    else:
        faults += spoilt
        if isinstance(ending.door, Answer):
            faults += _answer_faults(expect, ending.door)
    messages = [json.loads(event.message) for event in _in_order(ending.delivered)]
    for number, message in enumerate(messages):
        broken = (*violations(message), *message_faults(message))
        faults += [f"MozDef event {number}: {one}" for one in broken]
    if update and messages and not faults:
        _keep(sample, messages)
    return CheckedSample(
        sample.source.name,
        sample.name,
        expected,
        actual,
        tuple(faults),
        explanation,
        _diff(sample, messages),
        tuple(messages),
        tuple(dict.fromkeys(one.event.event_type for one in ending.outcomes)),
    )


def _judged_otherwise(source: LoadedSource, ending: Ending) -> Iterator[str]:
    """Hold what the shipped validators said of the events to the reference library."""
    for outcome in ending.outcomes:
        event = outcome.event
        if outcome.reason not in {None, Reason.SCHEMA_VIOLATION} or not isinstance(event, Event):
            continue
        schema = source.compiled.get(event.event_type, source.compiled.get(None))
        validate = event.source.validator(event.event_type)
        if schema is not None and validate is not None:
            fault = disagreement(schema, validate, event.body)
            if fault is not None:
                yield str(fault)


def _in_order(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda event: EventId.parse(event.id).element or 0)


def _answer_faults(expect: Expectation, answer: Answer) -> Iterator[str]:
    for key, value in expect.answer.items():
        found = answer.told.get(key)
        if str(found) != value:
            yield f"answer: {key}: expected {value!r}, is {found!r}"


def _expected(expect: Expectation) -> str:
    if expect.outcome == "refused":
        return f"refused {expect.status}"
    if expect.outcome == "answered":
        return "answered"
    return _counted(str(expect.reason or expect.outcome), expect.events)


def describe(ending: Ending) -> str:
    """Say in a few words how a request ended, as samples say how they must end."""
    if isinstance(ending.door, Answer):
        return "answered" if is_handshake(ending.door) else f"refused {ending.door.status}"
    counts = Counter(str(outcome.reason or outcome.kind) for outcome in ending.outcomes)
    return ", ".join(_counted(label, number) for label, number in sorted(counts.items()))


def _counted(label: str, number: int) -> str:
    return label if number == 1 else f"{label} x{number}"


def explain(ending: Ending) -> str:
    """Return what was said about a request, or about its first event, that was not delivered."""
    if isinstance(ending.door, Answer):
        door = ending.door
        if is_handshake(door):
            return ""
        said = dict.fromkeys((door.told.get("message"), door.explanation))
        return " ".join(part for part in said if part)
    for outcome in ending.outcomes:
        if outcome.kind is not OutcomeKind.DELIVERED:
            return _first_lines(outcome)
    return ""


def _first_lines(outcome: Outcome) -> str:
    # Of a bug the last line says what it was; the frames before it are for the archive.
    lines = outcome.explanation.strip().splitlines()
    return lines[-1] if lines else ""


def kept_file(sample: LoadedSample) -> Path:
    """Return the file beside a sample that keeps its MozDef events."""
    return sample.source.folder / "samples" / f"{sample.name}.mozdef.json"


def _keep(sample: LoadedSample, messages: list[Any]) -> None:
    path = kept_file(sample)
    if leads_out(sample.source.folder, path):
        raise SourceError(Fault(str(path), "", f"{OUTSIDE}; nothing is written there"))
    path.write_text(as_text(messages), encoding="utf-8")


def as_text(messages: list[Any]) -> str:
    """Write MozDef events for people and for a diff: an object, or a list of several."""
    document = messages[0] if len(messages) == 1 else messages
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _diff(sample: LoadedSample, messages: list[Any]) -> str:
    path = kept_file(sample)
    try:
        kept = json.loads(read_own(sample.source.folder, path))
    except MissingFileError:
        return ""
    except UnfitFileError as error:
        raise SourceError(Fault(str(path), "", str(error), error.found)) from None
    except (ValueError, RecursionError) as error:
        expected = f"not JSON: {error}; write it with --update"
        raise SourceError(Fault(str(path), "", expected)) from None
    before = json.dumps(kept, indent=2, ensure_ascii=False)
    after = as_text(messages).rstrip("\n") if messages else ""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), path.name, "as it is now", lineterm=""
    )
    return "\n".join(lines)
