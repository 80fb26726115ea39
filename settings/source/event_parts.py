"""Where the parts of an event are: headers, type, id, the list of several, schemas, queues."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from settings.source.base import FieldPath, HeaderName, Model, QueueName


class Headers(Model):
    """Which headers of a request travel in the envelope, and which must be there."""

    keep: tuple[HeaderName, ...] = ()
    require: tuple[HeaderName, ...] = ()


class Locator(Model):
    """A value in a header, or at a dotted path in the body."""

    header: HeaderName | None = None
    path: FieldPath | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Locator:
        if (self.header is None) == (self.path is None):
            raise ValueError("give either 'header' or 'path'")
        return self


class DeliveryId(Model):
    """What tells one event from another: a header, a path, or several paths taken together.

    An event that lacks a part of it is told apart by the hash of its body as well.
    """

    header: HeaderName | None = None
    path: FieldPath | None = None
    paths: tuple[FieldPath, ...] = Field(
        default=(), description="values that each event has, and that tell it apart together"
    )
    where_present: tuple[FieldPath, ...] = Field(
        default=(),
        description="further values that tell it apart, of which each event has one at least",
    )

    @model_validator(mode="after")
    def _one_of(self) -> DeliveryId:
        several = bool(self.paths or self.where_present)
        if sum((self.header is not None, self.path is not None, several)) != 1:
            raise ValueError("give either 'header', 'path', or 'paths' and 'where_present'")
        return self

    @property
    def needed_paths(self) -> tuple[str, ...]:
        """The paths that each event has; empty for a header."""
        return (self.path,) if self.path is not None else self.paths

    @property
    def all_paths(self) -> tuple[str, ...]:
        """The paths, of which there may be one; empty for a header."""
        return (*self.needed_paths, *self.where_present)


class Schemas(Model):
    """Which JSON Schema (draft 4, 6 or 7) an event of which type must satisfy."""

    types: dict[str, Path] = Field(default_factory=dict, description="event type: schema file")
    default: Path | None = Field(
        default=None, description="the schema of every type that is not listed"
    )
    unknown_types: Literal["accept", "reject"] = "accept"
    formats: bool = Field(
        default=False, description="check 'format' too; costs time and refuses real events"
    )


class Split(Model):
    """One request that carries many events: where the list of them is."""

    path: FieldPath = Field(description="dotted path to the list; '.' when the body is the list")
    # A request of so many is settled within some seconds, and senders' own bounds are far below.
    most: int = Field(
        default=5_000,
        ge=1,
        le=50_000,
        description="a request with more events is rejected as a whole (too_many_events)",
    )


class QueueSettings(Model):
    """The queue that MozDef reads; several sources may share one by its name."""

    name: QueueName | None = None
    by_type: dict[str, QueueName] = Field(default_factory=dict)
