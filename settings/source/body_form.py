"""The settings of bodies that are more than a JSON text, and of requests that are no events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from settings.faults import refuse
from settings.source.base import FieldPath, HeaderName, Model

if TYPE_CHECKING:
    from collections.abc import Iterator

Format = Literal["json", "ndjson", "form", "multipart", "xml", "jwt"]


class UnwrapSettings(Model):
    """A text in the body that holds JSON, or something of which JSON is made."""

    path: FieldPath = Field(description="where it is; lists on the way are looked through")
    encoding: Literal["text", "base64", "base64url"] = "text"
    format: Literal["json", "xml", "form"] = "json"
    otherwise: Literal["reject", "keep"] = Field(
        default="reject",
        description="what becomes of a request in which it holds no such thing: it is rejected, or "
        "the text stays",
    )

    @property
    def keeps(self) -> bool:
        """Whether a text that holds nothing of the kind stays."""
        return self.otherwise == "keep"

    @model_validator(mode="after")
    def _a_field(self) -> UnwrapSettings:
        if self.path == ".":
            raise ValueError("path: names a field of the body")
        return self


class BodySettings(Model):
    """What a body is. One that is compressed with gzip is decompressed first, by its bytes."""

    format: Format = "json"
    lists: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="form fields, or XML elements, that may come more than once: lists in any case",
    )
    unwrap: tuple[UnwrapSettings, ...] = Field(
        default=(),
        max_length=10,
        description="texts that are replaced by what they hold, in this order",
    )
    event: FieldPath | None = Field(
        default=None, description="what of it is the event, or holds the list of events"
    )

    @model_validator(mode="after")
    def _consistent(self) -> BodySettings:
        refuse(self._wrong())
        return self

    def _wrong(self) -> Iterator[tuple[str, str]]:
        if self.lists and self.format in {"json", "jwt", "ndjson"}:
            yield "lists", f"a body in {self.format} says itself what is a list"
        if self.event == ".":
            yield "event", "names a field of the body; leave it out where all is the event"
        if self.format == "ndjson" and self.event is not None:
            yield "event", "each line is one; leave it out"


class SkipSettings(Model):
    """A request that is no event, such as a heartbeat: it is kept in `raw/` and goes no further."""

    header: HeaderName | None = None
    path: FieldPath | None = Field(
        default=None, description="in the body, before it is split; '.' is the body itself"
    )
    equals: str | None = Field(default=None, min_length=1, description="what stands there")
    empty: bool = Field(
        default=False,
        description="there is an empty list, object or text at the path; or, of '.', no body",
    )

    @property
    def said(self) -> str:
        """What is skipped, in words."""
        where = f"header {self.header}" if self.header else f"path {self.path}"
        return f"{where} is {'empty' if self.empty else self.equals}"

    @model_validator(mode="after")
    def _one_of(self) -> SkipSettings:
        refuse(self._wrong())
        return self

    def _wrong(self) -> Iterator[tuple[str, str]]:
        if (self.header is None) == (self.path is None):
            yield "header", "give either 'header' or 'path'"
        if (self.equals is None) != self.empty:
            yield "equals", "give either 'equals' or 'empty: true'"
        elif self.header is not None and self.empty:
            yield "empty", "is for a path; many requests have no such header"
        if self.path == "." and self.equals is not None:
            yield "equals", "the body is no text; name a field of it"
