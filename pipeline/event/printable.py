"""Text of strangers in a form that people can read: nothing hides, or turns a line round."""

from __future__ import annotations

import re

#: White space that breaks a line, or looks like a space and is another character.
_SPACES = re.compile(r"\s+")
#: What joins the parts of letters and emoji: text, though nothing of its own is seen.
_JOINERS = frozenset("\u200c\u200d")


def one_line(text: str, longest: int) -> str:
    r"""Return a text as one line of so many characters at the most.

    White space becomes a space. A control character, or another one without a form of its own, such
    as those that change the direction of writing, becomes an escape (`\u202e`): taken out, one
    name would look like another.
    """
    text = text[:longest]
    # Most texts are printable, and then hold no white space but the space.
    if not text.isprintable():
        text = _SPACES.sub(" ", text)
        if not text.isprintable():
            text = _escaped(text, longest)
    return text.strip()


def _escaped(text: str, longest: int) -> str:
    parts, length = [], 0
    for one in text:
        shows = one.isprintable() or one in _JOINERS
        part = one if shows else one.encode("unicode_escape").decode("ascii")
        length += len(part)
        if length > longest:
            break
        parts.append(part)
    return "".join(parts)
