"""Text that wants to be more than text, and a judge of what reached a terminal.

The judge goes by the Unicode Character Database and by lists of its own, not by the renderer.
"""

from __future__ import annotations

import re
import unicodedata

#: What looks like something to a terminal, or to the library that draws tables.
MARKUP = (
    "[/bold]", "[bold]", "[link=https://attacker.example]here[/link]", "[conceal]", "[/]",
    "[@click=a]",
    "^[/a-z]+$", "[red on red]", "\\[bold]", ":bomb:", "[/a-z]",
)  # fmt: skip
CONTROLS = (
    "\x1b[2J", "\x1b]0;title\x07", "\x1b]8;;https://attacker.example\x1b\\", "\x9b31m",
    "\x9d0;t\x9c", "\x7f", "\x00", "\x08\x08\x08", "\x0b", "\x0c", "\x0e", "\x84", "\x90q\x9c",
)  # fmt: skip
DIRECTIONS = tuple("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
LINES = ("\n", "\r", "\r\n", "\x85", "\u2028", "\u2029", "\n  reason: delivered", "\x1c", "\x1e")
UNSEEN = (
    "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u3164", "\u115f", "\u180e",
    "\ufe0f", "\U000e0041", "\U000e0101", "\u034f", "\u2800", "\ufff9",
)  # fmt: skip
BROKEN = ("\ud800", "\udcff", "\udfff\ud800", "\ufffe", "\ue000")
HOSTILE = (*MARKUP, *CONTROLS, *DIRECTIONS, *LINES, *UNSEEN, *BROKEN)

_SGR = re.compile(r"\x1b\[[0-9;]*m")
_UNFIT = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_UNSEEN = set("\u3164\u115f\u1160\uffa0\u2800\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f")


def uncoloured(shown: str) -> str:
    """What reached a terminal, without the colours that were put on."""
    return _SGR.sub("", shown)


def offending(shown: str) -> list[str]:
    """The characters of an output that a terminal acts upon, or that do not show."""
    return [one for one in shown if one != "\n" and _offends(one)]


def _offends(one: str) -> bool:
    return (
        unicodedata.category(one) in _UNFIT
        or one in _UNSEEN
        or 0xFE00 <= ord(one) <= 0xFE0F
        or 0xE0000 <= ord(one) <= 0xE0FFF
    )
