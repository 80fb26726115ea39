"""Adds a source to the list of a stage's file, of which all else stays as somebody wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from toolbox.project.finding import stages
from toolbox.sources.scaffolding import ScaffoldError

if TYPE_CHECKING:
    from pathlib import Path


def enable(file: Path, name: str) -> bool:
    """Add a source to `sources` of a stage's file; tell whether it was not there before.

    Where there is no stage at all, this is the first.

    Raises
    ------
    ScaffoldError
        When the file cannot be read, or its list is written in a way that is not known here.
    """
    try:
        is_first = not (file.exists() or stages(file.parent))
        text = "service: ingest\nsources: []\n" if is_first else file.read_text(encoding="utf-8")
        known = yaml.safe_load(text)
        if name in known["sources"]:
            return False
        made = _with_entry(text, name)
        # What it comes to is what counts: a comma too many, an anchor or a comment can mislead.
        if yaml.safe_load(made) == known | {"sources": [*known["sources"], name]}:
            file.write_text(made, encoding="utf-8")
            return True
    except OSError as error:
        raise ScaffoldError(f"{file}: {error.strerror}; add {name} to 'sources' there") from None
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, IndexError):
        pass
    raise ScaffoldError(f"{file}: its list is not understood; add {name} to 'sources' there")


def _with_entry(text: str, name: str) -> str:
    document: Any = yaml.compose(text)
    (listed,) = [value for key, value in document.value if key.value == "sources"]
    if listed.flow_style:
        at = listed.end_mark.index - 1
        return f"{text[:at]}{', ' if listed.value else ''}{name}{text[at:]}"
    last = listed.value[-1]
    end = text.find("\n", last.end_mark.index)
    at = len(text) if end < 0 else end
    indent = " " * listed.start_mark.column
    return f"{text[:at]}\n{indent}- {name}{text[at:]}"
