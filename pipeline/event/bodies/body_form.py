"""From the bytes of a body to JSON, by what a source's `body` says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pipeline.event.bodies.inflating import Inflating
from pipeline.event.json_text import BodyError

if TYPE_CHECKING:
    from pipeline.event.bodies.forms import Fields
    from pipeline.event.fields import Dotted

Reader = Callable[[bytes], bytes]


@dataclass(frozen=True, kw_only=True, eq=False)
class Unwrapping:
    """A text in the body that holds what is JSON, or can be made JSON.

    Parameters
    ----------
    encoding : str
        `text`, `base64` or `base64url`.
    keeps : bool
        Whether a text that holds nothing of the kind stays as it is.
    """

    path: Dotted
    encoding: str
    format: str
    keeps: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyForm:
    """What the bodies of a source are.

    Parameters
    ----------
    format : str
        `json`, `ndjson`, `form`, `multipart`, `xml`, or `jwt`, whose claims are the JSON.
    lists : tuple[str, ...]
        Fields or elements that may come more than once, and are lists in any case.
    event : FieldPath | None
        What of it is the event, or holds the list of events; None for all.
    """

    format: str
    lists: tuple[str, ...]
    unwrap: tuple[Unwrapping, ...]
    event: Dotted | None

    def json_in(self, body: bytes) -> bytes:
        """Return the JSON of a body; see `pipeline.event.parsing.json_in`.

        Raises
        ------
        BodyError
            When the body is no such thing, or is beyond a bound.
        """
        inflating = Inflating()
        text = self._read(self.format, inflating.plain(body))
        for one in self.unwrap:
            from pipeline.event.bodies.unwrapping import unwrapped  # few have it

            text = unwrapped(text, one, inflating, partial(self._read, one.format))
        if self.event is not None:
            from pipeline.event.bodies.unwrapping import value_at

            text = value_at(text, self.event)
        return text

    def fields_in(self, body: bytes) -> Fields:
        """Return the fields of a form, in their order.

        Raises
        ------
        BodyError
            When the body is no form.
        """
        from pipeline.event.bodies import forms

        plain = Inflating().plain(body)
        return forms.multipart(plain) if self.format == "multipart" else forms.urlencoded(plain)

    def _read(self, kind: str, content: bytes) -> bytes:
        if kind == "json":
            return content
        if kind == "ndjson":
            from pipeline.event.bodies.lines import list_of_lines

            return list_of_lines(content)
        if kind == "jwt":
            return _claims_of(content)
        if kind == "xml":
            from pipeline.event.bodies.xml_document import json_of_xml

            return json_of_xml(content, frozenset(self.lists))
        from pipeline.event.bodies import forms

        read = forms.multipart if kind == "multipart" else forms.urlencoded
        return forms.object_of(read(content), frozenset(self.lists))


def _claims_of(content: bytes) -> bytes:
    from pipeline.event.proofs.compact import CompactError, payload_of

    try:
        return payload_of(content)
    except CompactError as error:
        raise BodyError(f"the body is no JSON Web Token: {error}") from None


__all__ = ["BodyError", "BodyForm", "Unwrapping"]
