"""Takes values that can be secrets out of caught bodies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.fields import find, path_text
from toolbox.sources.inference_values import scalar_paths

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECRETS = re.compile(r"(token|secret|password|passwd|api_?key|authorization)$", re.IGNORECASE)
_REPLACED = b'"EXAMPLE-NOT-A-SECRET"'


def hidden(content: bytes, document: Any) -> tuple[bytes, list[str]]:
    """Return a body without what can be a secret by its name, and the places of that.

    The rest of the bytes stays. A text that is written otherwise than JSON's plainest way stays,
    too, and is not among the places.
    """
    places = []
    for place, value in _secrets(document):
        written = orjson.dumps(value)
        if written in content:
            content = content.replace(written, _REPLACED)
            places.append(place)
    return content, places


def _secrets(document: Any) -> Iterator[tuple[str, str]]:
    for path in scalar_paths(document):
        value = find(document, path)
        if isinstance(value, str) and len(value) >= 8 and _SECRETS.search(path[-1]):
            yield path_text(path), value
