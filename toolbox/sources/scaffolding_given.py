"""What a source's folder is made of: requests, and what is known beside their bodies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Given:
    """One request as it was given.

    Parameters
    ----------
    content : bytes
        Its body, unpacked.
    document : Any
        What is in it, parsed.
    headers : Mapping[str, str]
        Its own headers, without its proof and without secrets.
    content_type : str
        As it was sent; empty for JSON.
    as_sent : Mapping[str, Any] | None
        `as_sent` of its sample, where it may be kept so.
    beside : Mapping[str, str]
        What else its sample has then: method, URL and query.
    packed : bytes
        Its body as it was sent, where that is another.
    kind : str
        Its event's type, where a header says it.
    """

    name: str
    content: bytes
    document: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""
    as_sent: Mapping[str, Any] | None = None
    beside: Mapping[str, str] = field(default_factory=dict)
    packed: bytes = b""
    kind: str = ""

    @property
    def suffix(self) -> str:
        """How the name of its body's file ends."""
        return "json" if "json" in (self.content_type or "json") else "body"
