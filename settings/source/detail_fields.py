"""The settings of what an event says beside its body: MozDef's fields, category and severity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from pipeline.event.detail_fields import LONGEST_TEXT
from pipeline.event.fields import as_text, path_of
from settings.source.base import FieldPath, Model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.event.detail_fields import FieldPlan, Place
    from pipeline.event.judgement import Rule

SEVERITIES = Literal[
    "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"
]
Category = Annotated[str, Field(min_length=1, max_length=100)]
#: A name that an event's field has in `details`.
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Scalar = StrictStr | StrictBool | StrictInt | StrictFloat
ADDRESSES = frozenset({"sourceipaddress", "destinationipaddress"})
PORTS = frozenset({"sourceport", "destinationport"})
FLAGS = frozenset({"success", "error"})
#: What MozDef documents for `details` (`docs/source/usage/json_format.rst`).
DOCUMENTED = ADDRESSES | PORTS | FLAGS | {"sourceuri", "destinationuri", "username", "useragent"}
#: The path that stands for the event's type.
TYPE = "$type"


class FieldPlace(Model):
    """A place where a field's value may stand, and what the texts there mean."""

    path: FieldPath = Field(description="dotted path of the event's body, or $type")
    values: dict[str, StrictBool | StrictStr] = Field(
        default_factory=dict, description="what each text at the path stands for"
    )
    otherwise: StrictBool | StrictStr | None = Field(
        default=None, description="what any other text stands for; default: nothing"
    )

    @model_validator(mode="after")
    def _needed(self) -> FieldPlace:
        if self.otherwise is not None and not self.values:
            raise ValueError("'otherwise' needs 'values'")
        return self

    @property
    def place(self) -> Place:
        """The same for the plan of `pipeline.event.detail_fields`."""
        path = None if self.path == TYPE else path_of(self.path)
        return path, dict(sorted(self.values.items())), self.otherwise


OnePlace = FieldPath | FieldPlace
Places = OnePlace | Annotated[tuple[OnePlace, ...], Field(min_length=1)]


def places_of(places: Places) -> tuple[FieldPlace, ...]:
    """Return the places of a field, in the order in which they are tried."""
    several = places if isinstance(places, tuple) else (places,)
    return tuple(FieldPlace(path=one) if isinstance(one, str) else one for one in several)


def field_fault(name: str, places: Places) -> str | None:
    """Say what is wrong with a field: a flag has flags for values, an address and a port none."""
    for one in places_of(places):
        meant = [*one.values.values(), *([] if one.otherwise is None else [one.otherwise])]
        if meant and name in ADDRESSES | PORTS:
            return f"{name} is taken as it is, without 'values'"
        if any(isinstance(value, bool) != (name in FLAGS) for value in meant):
            return f"{name} has {'true or false' if name in FLAGS else 'texts'} for its values"
        if any(isinstance(value, str) and not 0 < len(value) <= LONGEST_TEXT for value in meant):
            return f"{name}: a value has 1 to {LONGEST_TEXT} characters"
    return None


def field_plan(fields: Mapping[str, Places]) -> FieldPlan:
    """Return what the fan-out works by."""
    return tuple(
        (name, tuple(one.place for one in places_of(places)))
        for name, places in sorted(fields.items())
    )


class ValueRule(Model):
    """What an event counts as where its values are these."""

    when: dict[FieldPath, Scalar | Annotated[tuple[Scalar, ...], Field(min_length=1)]] = Field(
        min_length=1, description="path of the body: the value, or one of several; all must fit"
    )
    types: tuple[str, ...] = Field(
        default=(), description="only events of these types; `user.*`: all that begin so"
    )
    category: Category | None = None
    severity: SEVERITIES | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ValueRule:
        if self.category is None and self.severity is None:
            raise ValueError("give 'category', 'severity' or both")
        return self

    @property
    def rule(self) -> Rule:
        """The same for `pipeline.event.judgement`."""
        when = tuple(
            (path_of(path), tuple(as_text(one) for one in values_of(wanted)))
            for path, wanted in self.when.items()
        )
        return when, self.types, self.category, self.severity


def values_of(wanted: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """Return the values of which one is wanted."""
    return wanted if isinstance(wanted, tuple) else (wanted,)
