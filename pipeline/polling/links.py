"""The Link header (RFC 8288)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def next_link(header: str) -> str | None:
    """Return the target of the link with `rel="next"`; None where there is none.

    Parameters
    ----------
    header : str
        The value; several headers are joined with commas.
    """
    for target, parameters in _links(header):
        for name, value in parameters:
            if name == "rel" and "next" in value.lower().split():
                return target
    return None


def _links(header: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    at = 0
    while (start := header.find("<", at)) >= 0:
        end = header.find(">", start)
        if end < 0:
            return
        target = header[start + 1 : end]
        at, parameters = _parameters(header, end + 1)
        yield target, parameters


def _parameters(header: str, at: int) -> tuple[int, list[tuple[str, str]]]:
    """Read the parameters of one link, up to the comma that ends it."""
    found = []
    piece, quoted = "", False
    while at < len(header):
        character = header[at]
        at += 1
        if quoted and character == "\\":
            piece += header[at : at + 1]
            at += 1
        elif character == '"':
            quoted = not quoted
        elif character in ",;" and not quoted:
            found.append(piece)
            piece = ""
            if character == ",":
                break
        else:
            piece += character
    found.append(piece)
    pairs = (piece.partition("=") for piece in found)
    return at, [(name.strip().lower(), value.strip()) for name, _, value in pairs]
