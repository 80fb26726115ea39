"""What an archived request means by the sources of this machine: its events, rules and messages."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastjsonschema import JsonSchemaValueException

from pipeline.event.compiled_source import SchemaUnavailableError
from pipeline.event.envelope import encode_envelope
from pipeline.event.event_id import EventId
from pipeline.event.events import Event, Outcomes, Record
from pipeline.event.identity import reused_key
from pipeline.event.mozdef_event import write_message
from pipeline.event.outcomes import Reason
from pipeline.event.steps import examine
from toolbox.explaining.found import MozdefFate
from toolbox.mozdef.alerts import alerts
from toolbox.mozdef.index import Index
from toolbox.mozdef.worker import handled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.event.compiled_source import Catalog, CompiledSource
    from pipeline.event.envelope import Envelope
    from pipeline.event.events import Outcome
    from settings.source.loader import LoadedSource

_MOST_ALERTS = 5


@dataclass(frozen=True)
class Judged:
    """One event of a request, as it is judged on this machine.

    Parameters
    ----------
    event : Event | Record
        A `Record` where it is no event of a known source.
    verdict : Outcome | None
        Why it would not go on; None where it would be sent to its queue.
    message : bytes
        What MozDef would read; empty where there is a verdict.
    """

    event: Event | Record
    verdict: Outcome | None
    message: bytes = b""

    @property
    def now(self) -> str:
        """What would become of it, but for its proof and for copies."""
        if self.verdict is None:
            return "delivered"
        return ": ".join(filter(None, (self.verdict.reason or self.verdict.kind, self.why)))

    @property
    def why(self) -> str:
        """Why it would not go on; empty where it would."""
        return "" if self.verdict is None else self.verdict.explanation

    @property
    def keys(self) -> tuple[str, ...]:
        """What the deduplication table may know it by."""
        if not isinstance(self.event, Event) or not self.event.deduplication_key:
            return ()
        return (*self.event.keys, reused_key(self.event))


class SourceMeaning:
    """Judges the requests of one source. No proof is checked: that was done when they came."""

    def __init__(self, source: LoadedSource, catalog: Catalog) -> None:
        self._source = source
        self._catalog = catalog

    def judged(self, envelope: Envelope) -> dict[str, Judged]:
        """Return the events of an envelope by their ids, as the fan-out would call them."""
        outcomes = Outcomes()
        record = Record("0", "shardId-000000000000", 0.0, encode_envelope(envelope))
        going_on = examine([record], outcomes, self._catalog, None)
        sent = outcomes.each(going_on, write_message)
        found = [Judged(one.event, one) for one in outcomes.all]
        found += [Judged(event, None, event.message) for event in sent]
        ordered = sorted(found, key=lambda one: EventId.parse(one.event.id).element or 0)
        return {one.event.id: one for one in ordered}

    def compiled_source(self) -> CompiledSource:
        """Return the source as the functions have it."""
        return self._catalog.sources[self._source.name]

    def broken_place(self, event: Event) -> tuple[tuple[str, ...], str]:
        """Return the place in an event's body that breaks its schema, and what it breaks there.

        Both are empty where the schema takes it.
        """
        try:
            validator = event.source.validator(event.event_type)
            if validator is not None:
                validator(event.body)
        except JsonSchemaValueException as error:
            return tuple(str(one) for one in error.path[1:]), str(error.message)
        except SchemaUnavailableError:
            pass
        return (), ""

    def schema_of(self, event_type: str) -> str:
        """Return the file of a type's schema; empty where it has none."""
        schemas = self._source.settings.schemas
        file = schemas.types.get(event_type, schemas.default)
        if not file:
            return ""
        path = self._source.folder / file
        here = Path.cwd()
        return str(path.relative_to(here) if path.is_relative_to(here) else path)

    def broken_rule(self, event: Event) -> str:
        """Return where the rule that an event breaks stands in its schema, as a JSON Pointer."""
        document = self._source.schemas.get(event.event_type, self._source.default_schema)
        try:
            validator = event.source.validator(event.event_type)
            if validator is not None:
                validator(event.body)
        except JsonSchemaValueException as error:
            return _place_of(document or {}, [str(one) for one in error.path[1:]], error.rule or "")
        except SchemaUnavailableError:
            pass
        return ""


@contextmanager
def meaning_of(source: LoadedSource) -> Iterator[SourceMeaning]:
    """Compile a source as the build does; what judges it serves as long as the context lasts."""
    from toolbox.sources.rehearsal import compiled

    with compiled({source.name: source}) as catalog:
        yield SourceMeaning(source, catalog)


def fate_in_mozdef(message: bytes) -> MozdefFate:
    """Say what MozDef does with a message, by the model of its worker, plugins and index."""
    try:
        read = json.loads(message)
    except (ValueError, RecursionError):
        return MozdefFate("its worker cannot read the message, and deletes it")
    result = handled(read)
    if result.document is None:
        return MozdefFate(f"it keeps nothing of it: {result.why}")
    refusal = Index().add(result.document)
    if refusal is not None:
        return MozdefFate(f"its index refuses the document: {refusal}", result.rewritten_by)
    # One of the operator's own queries, or that asks for nothing, says nothing of this document.
    matching = [
        one.name
        for one in alerts()
        if one.asks and not one.of_settings and one.matches(result.document)
    ]
    by = f", written anew by its plugin {result.rewritten_by}" if result.rewritten_by else ""
    time = "" if result.keeps_time else ", whose time is that of MozDef's reading"
    does = f"it indexes a document of category {result.document['category']}{by}{time}"
    return MozdefFate(does, result.rewritten_by, tuple(matching[:_MOST_ALERTS]))


def same_message(one: Any, other: bytes) -> bool:
    """Tell whether a message is another one, but for tags, which say what a copy shares."""
    try:
        read = json.loads(other)
    except (ValueError, RecursionError):
        return False
    without = [
        {name: value for name, value in each.items() if name != "tags"}
        for each in (one, read)
        if isinstance(each, dict)
    ]
    return len(without) == 2 and without[0] == without[1]


def refused_by_now(judged: Judged | None) -> bool:
    """Tell whether a schema refuses an event by the sources of this machine."""
    verdict = judged.verdict if judged else None
    return verdict is not None and verdict.reason == Reason.SCHEMA_VIOLATION


def _place_of(document: Mapping[str, Any], path: list[str], rule: str) -> str:
    """Follow a path of the body into its schema, as far as that names its members."""
    node: Any = document
    pointer = ""
    for name in path:
        for way in (("properties", name), ("items",)):
            below = _below(node, way)
            if below is not None:
                node = below
                pointer += "".join(f"/{_escaped(one)}" for one in way)
                break
        else:
            return f"#{pointer}"
    return f"#{pointer}/{rule}" if isinstance(node, dict) and rule in node else f"#{pointer}"


def _below(node: Any, way: tuple[str, ...]) -> Any:
    for one in way:
        if not isinstance(node, dict) or one not in node:
            return None
        node = node[one]
    return node


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")
