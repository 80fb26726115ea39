"""The JSON that a source's samples hold, for its schemas to judge; `toolbox.sources` plays them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from pipeline.event.json_text import BodyError
from pipeline.event.parsing import BodyPlace, json_in
from settings.bounded import UnfitFileError, parse_yaml, read_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Bytes of a body, and events of a list in it: beyond that a sample is about sizes, not schemas.
LARGEST_BODY, MOST_EVENTS = 300_000, 20
_PLAIN = BodyPlace(form_field=None, body_form=None)


def sample_bodies(folder: Path, place: BodyPlace = _PLAIN) -> dict[str, Any]:
    """Return the events in the samples of a source folder, by name.

    A body that is no JSON is left out, as is one that is larger than 300 KB, and a file that is
    wrong: `source check` names it. Where a body is a list, or an object that holds a list of
    objects, the first 20 of these are events as well.

    Parameters
    ----------
    place : BodyPlace
        Where in a body the JSON is.
    """
    bodies: dict[str, Any] = {}
    for path in sorted((folder / "samples").glob("*.yaml")):
        try:
            content = _content(path, folder)
            document = json.loads(json_in(place, content) if len(content) <= LARGEST_BODY else "")
        except (UnfitFileError, BodyError, TypeError, ValueError, RecursionError):
            continue
        bodies |= {f"{path.stem}{where}": one for where, one in _events(document)}
    return bodies


def _content(path: Path, folder: Path) -> bytes:
    settings = parse_yaml(read_own(folder, path))
    if not isinstance(settings, dict):
        raise TypeError
    if "body_base64" in settings:
        return base64.b64decode(settings["body_base64"])
    if "body_file" in settings:
        return read_own(folder, path.parent / settings["body_file"])
    return str(settings.get("body", "")).encode(errors="surrogatepass")


def _events(document: Any) -> Iterator[tuple[str, Any]]:
    yield "", document
    lists = [("", document)]
    if isinstance(document, dict):
        lists = [(f".{key}", one) for key, one in document.items()]
    for place, one in lists:
        for number, event in enumerate(one[:MOST_EVENTS] if isinstance(one, list) else ()):
            if isinstance(event, dict):
                yield f"{place}[{number}]", event
