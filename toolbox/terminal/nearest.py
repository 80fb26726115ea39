"""What was asked for and is not there: one line with the nearest name, and exit status 1."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: So many names are listed where none is near; more would hide the line they stand in.
_LISTED = 12
#: Of what somebody typed, so much is compared.
_COMPARED = 100


class NotFoundError(PipelineError):
    """A name that nothing has, or a choice that nothing fits. The exit status is 1."""


def unknown(kind: str, name: str, known: Iterable[str], see: str = "") -> NotFoundError:
    """Return what is raised where nothing has a name.

    Parameters
    ----------
    kind : str
        What it should have named, such as 'source'.
    known : Iterable[str]
        The names that there are.
    see : str
        The command that lists them, said where none is near and they are many.
    """
    names = sorted(set(known))
    near = nearest(name, names)
    if near:
        said = f"did you mean {' or '.join(near)}?"
    elif not names:
        said = "there are none"
    elif len(names) > _LISTED:
        said = f"there are {len(names)}" + (f"; '{see}' lists them" if see else "")
    else:
        said = f"there are {', '.join(names)}" if len(names) > 1 else f"there is {names[0]}"
    return NotFoundError(f"{name}: no such {kind}; {said}")


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the names that somebody could have meant, the likeliest first; three at the most."""
    spelled = {one.casefold(): one for one in known}
    typed = name.casefold()[:_COMPARED]
    longer = [one for one in spelled if len(typed) > 2 and one.startswith(typed)]
    found = dict.fromkeys([*difflib.get_close_matches(typed, spelled), *longer])
    return [spelled[one] for one in list(found)[:3]]
