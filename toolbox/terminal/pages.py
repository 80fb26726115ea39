"""Turns the pages of a screen that is shown again and again and is higher than the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.segment import SegmentLines

from toolbox.terminal.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, RenderableType


def page_of(console: Console, parts: Iterable[RenderableType], number: int) -> RenderableType:
    """Return the page that is to be shown next: each in its turn, and all where all fits.

    Parameters
    ----------
    number : int
        How many looks there were before, from 0.
    """
    lines = console.render_lines(Group(*parts), pad=False)
    # The cursor stands in a line of its own.
    room = max(console.height - 1, 2)
    if len(lines) <= room:
        return SegmentLines(lines, new_lines=True)
    pages = -(-len(lines) // (room - 1))
    page = number % pages
    shown = lines[page * (room - 1) : (page + 1) * (room - 1)]
    told = printable(f"page {page + 1} of {pages}")
    return Group(SegmentLines(shown, new_lines=True), console.render_str(told, style="dim"))
