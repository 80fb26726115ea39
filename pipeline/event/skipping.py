"""Requests that a source names as none of its events: heartbeats, tests, notices without content.

They are told once their signature fits, and before anything is remembered of them. So a header that
no signature covers, set by whoever repeats a request, takes nothing from the event that it copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import as_text, find, path_text
from pipeline.event.json_text import BodyError, NoJsonError, TooDeepError, read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.event.fields import Dotted, Lower

_NOTHING: Any = object()


@dataclass(frozen=True, kw_only=True, eq=False)
class SkipRule:
    """One kind of request to skip.

    Parameters
    ----------
    equals : str | None
        What stands in the header or at the path; None where it is to be empty.
    """

    header: Lower | None
    path: Dotted | None
    equals: str | None

    def fits_body(self, body: bytes, content: Any) -> bool:
        """Tell whether a body is such a one."""
        path = self.path or ()
        if self.equals is None and not path and not body.strip():
            return True
        if content is _NOTHING:
            return False
        found = find(content, path)
        if self.equals is None:
            return isinstance(found, str | list | dict) and not found
        return not isinstance(found, list | dict) and as_text(found) == self.equals

    @property
    def what(self) -> str:
        """What is skipped, in words."""
        where = f"header {self.header}" if self.path is None else path_text(self.path)
        return f"{where} is {'empty' if self.equals is None else repr(self.equals)}"


def why_skipped(
    rules: Sequence[SkipRule],
    headers: Mapping[str, str],
    body: bytes,
    json_in: Callable[[], bytes],
) -> str:
    """Say by which rule a request is none of its source's events; empty where it may be one.

    Parameters
    ----------
    headers : Mapping[str, str]
        By lower-case name.
    json_in : Callable[[], bytes]
        Returns the JSON of the body, where a rule looks into it; it may raise `BodyError`.
    """
    content = _NOTHING
    if any(rule.path is not None for rule in rules) and body.strip():
        try:
            content = read_json(json_in())[1]
        except (BodyError, NoJsonError, TooDeepError):
            content = _NOTHING  # the step that parses says what is wrong with it
    for rule in rules:
        if rule.header is not None:
            if headers.get(rule.header) == rule.equals:
                return rule.what
        elif rule.fits_body(body, content):
            return rule.what
    return ""
