"""How an event becomes one of MozDef's, as `source.yaml` says it."""

from __future__ import annotations

import zoneinfo
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.event.summary import template_fault
from settings.source.base import FieldPath, Model
from settings.source.body import BodyRule, PluginSettings, Shape, rule_plan
from settings.source.detail_fields import (
    SEVERITIES,
    Category,
    FieldName,
    Places,
    ValueRule,
    field_fault,
    field_plan,
)


class MozdefMapping(Model):
    """How an event becomes a MozDef event. Everything has a default but `category`'s name."""

    category: Category | None = Field(default=None, description="default: the name of the source")
    category_by_type: dict[str, Category] = Field(
        default_factory=dict, description="`user.*`: all types that begin so; the longest counts"
    )
    processname: str | None = Field(default=None, description="default: the name of the source")
    hostname: str | None = Field(default=None, description="default: <source>_host")
    source: str = "api_aws_lambda"
    tags: tuple[str, ...] | None = Field(default=None, description="default: [<source>]")
    severity: SEVERITIES = "INFO"
    severity_by_type: dict[str, SEVERITIES] = Field(
        default_factory=dict, description="`user.*`: all types that begin so; the longest counts"
    )
    by_value: tuple[ValueRule, ...] = Field(
        default=(),
        description="category and severity by an event's values, before those by type; in order",
    )
    fields: dict[FieldName, Places] = Field(
        default_factory=dict,
        description="fields of `details` beside the body, such as sourceipaddress and username: "
        "the path of each, or several of which the first that has one is taken",
    )
    summary: str = Field(
        default="{source} {type}",
        description="text with {source}, {type}, {dotted.paths} of the body, {one|other} of which "
        "the first is taken, {$username} of `fields`, and {? by {path}}, which is left out where "
        "the path has nothing",
    )
    timestamp: FieldPath | tuple[FieldPath, ...] = Field(
        default=(),
        description="path of an ISO 8601 time or an epoch, or several of which the first that an "
        "event has is taken; default: the arrival",
    )
    timezone: str = Field(
        default="UTC", description="that of a time that names none, such as Europe/Berlin"
    )
    details: Shape = Field(
        default="body",
        description=(
            "'body': the sender's body, where 'body' says; or an object whose values are $body, "
            "$type, $delivery_id, $header.<name> or a dotted path of the body"
        ),
    )
    body: Literal["own_name", "top"] = Field(
        default="own_name",
        description="where the body's fields are: below details.<source>, so that no other "
        "source's are in their way, or in details itself",
    )
    rules: tuple[BodyRule, ...] = Field(
        default=(), description="what is changed in the body for the index; of several, the first"
    )
    plugin: PluginSettings | None = Field(
        default=None, description="what a plugin of MozDef's wants of the types that it keeps"
    )

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        if name not in zoneinfo.available_timezones():
            raise ValueError(f"{name!r} is no time zone, such as Europe/Berlin")
        return name

    @field_validator("fields")
    @classmethod
    def _fields_of_their_kind(cls, fields: dict[str, Places]) -> dict[str, Places]:
        for name, places in fields.items():
            if fault := field_fault(name, places):
                raise ValueError(fault)
        return fields

    @model_validator(mode="after")
    def _each_name_once(self) -> MozdefMapping:
        if fault := template_fault(self.summary, self.fields):
            raise ValueError(f"summary: {fault}")
        if self.body == "top" and any("." in rule.paths for rule in self.rules):
            raise ValueError("rules: '.' makes a text of the body, and 'body: top' needs an object")
        for shape in (self.details, self.plugin.details if self.plugin else "body"):
            taken = self.fields.keys() & (shape if isinstance(shape, dict) else {})
            if taken:
                raise ValueError(f"fields and details both have {', '.join(sorted(taken))}")
        return self

    def named_after(self, source: str) -> MozdefMapping:
        """Return the same with what is named after the source by default."""
        names = {
            "category": self.category or source,
            "processname": self.processname or source,
            "hostname": self.hostname or f"{source}_host",
            "tags": self.tags or (source,),
        }
        return self.model_copy(update=names)

    def without(self, paths: tuple[str, ...]) -> MozdefMapping:
        """Return the same with paths that are left out of every event, whatever its rules say."""
        return self.model_copy(update={"rules": (BodyRule(drop=paths), *self.rules)})

    @property
    def field_plan(self) -> tuple[Any, ...]:
        """The fields of `details` as the fan-out reads them."""
        return field_plan(self.fields)

    @property
    def value_rules(self) -> tuple[Any, ...]:
        """The rules by value as the fan-out reads them."""
        return tuple(one.rule for one in self.by_value)

    @property
    def rule_plan(self) -> tuple[Any, ...]:
        """The rules on the body, for the fan-out."""
        return rule_plan(self.rules)

    @property
    def timestamps(self) -> tuple[str, ...]:
        """The paths of an event's time, in the order in which they are tried."""
        return (self.timestamp,) if isinstance(self.timestamp, str) else self.timestamp
