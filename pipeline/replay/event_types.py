"""What type an archived event is of, by the rule of its source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import orjson

from pipeline.event.fields import FieldPath, as_text, find
from pipeline.event.json_text import BodyError
from pipeline.event.parsing import BodyPlace, json_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.archive.lines import ArchivedEvent
    from pipeline.event.bodies.body_form import BodyForm
    from pipeline.event.compiled_source import Catalog


class TypeRule(NamedTuple):
    """Where a source's events have their type: in a header or at a path of the body."""

    header: str | None
    path: FieldPath | None
    form_field: str | None
    split: FieldPath | None
    body_form: BodyForm | None = None

    @property
    def body_place(self) -> BodyPlace:
        """Where in a body the JSON is."""
        return BodyPlace(self.form_field, self.body_form)


@dataclass(frozen=True)
class EventTypes:
    """The rules of a deployment's sources, by name."""

    rules: Mapping[str, TypeRule] = field(default_factory=dict)

    @classmethod
    def of_catalog(cls, catalog: Catalog) -> EventTypes:
        """Take the rules from the compiled catalogue."""
        return cls(
            {
                name: TypeRule(
                    source.event_type_header,
                    source.event_type_path,
                    source.form_field,
                    source.split,
                    source.body_form,
                )
                for name, source in catalog.sources.items()
            }
        )

    def of(self, event: ArchivedEvent) -> set[str]:
        """Return an event's type; several where its request carries several events.

        `raw/` is written before anyone looked into the body, so its lines name no type.
        """
        if event.event_type:
            return {event.event_type}
        rule = self.rules.get(event.claimed_source)
        if event.envelope is None or rule is None:
            return set()
        if rule.header is not None:
            return {event.envelope.headers.get(rule.header, "")}
        return set() if rule.path is None else _in_body(event, rule, rule.path)


def _in_body(event: ArchivedEvent, rule: TypeRule, path: FieldPath) -> set[str]:
    try:
        # Of an event that was taken out of its request, the line has the JSON.
        body = event.body if event.numbers else json_in(rule.body_place, event.body)
        document = orjson.loads(body)
    except (BodyError, orjson.JSONDecodeError):
        return set()
    taken_apart = rule.split is None or bool(event.numbers)
    parts = document if rule.split is None or taken_apart else find(document, rule.split)
    elements = parts if not taken_apart and isinstance(parts, list) else [parts]
    return {as_text(find(element, path)) for element in elements}
