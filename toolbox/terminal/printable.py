"""Makes text of strangers fit for a terminal: what would act, or not show, is written out."""

from __future__ import annotations

import re

#: They count as printable and show nothing, so text could hide in them: the rest of Unicode's
#: Default_Ignorable_Code_Point (DerivedCoreProperties.txt), and the blank Braille pattern.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0000-\U000e0fff]"
)


def printable(text: str) -> str:
    r"""Return text as one line in which each character shows.

    What is no printable character (`str.isprintable`: control, format, bidirectional and other
    separator characters, lone surrogates, what is not assigned) or is invisible is written as
    Python writes it: `\n`, `\x1b`, `\u202e`. A backslash stays one, so the text of an escape and
    the character look alike; what takes the text for data reads JSON.
    """
    if text.isprintable() and not _INVISIBLE.search(text):
        return text
    return "".join(one if shows(one) else _escaped(one) for one in text)


def shows(character: str) -> bool:
    """Tell whether a character takes room on a terminal and does nothing else."""
    return character.isprintable() and not _INVISIBLE.match(character)


def printable_lines(text: str) -> str:
    """Return text in which each character shows, and that has its line feeds."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    r"""Return a JSON text that says the same, with `\u....` for what does not show.

    Outside of strings JSON has nothing of the kind but its line feeds, which stay.
    """
    lines = text.split("\n")
    return "\n".join(
        line
        if line.isprintable() and not _INVISIBLE.search(line)
        else "".join(one if shows(one) else _json_escaped(one) for one in line)
        for line in lines
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _json_escaped(character: str) -> str:
    units = character.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
