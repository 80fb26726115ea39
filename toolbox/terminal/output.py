"""How the command line speaks: tables, progress, JSON, and one line for each error."""

from __future__ import annotations

import io
import json
import re
import sys
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from toolbox.terminal.console import TextConsole, tell_uncaught
from toolbox.terminal.printable import printable, printable_json, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType
    from rich.progress import Task

    from pipeline.errors import PipelineError

#: Done; the thing asked about does not hold; wrong usage or settings.
DONE, DOES_NOT_HOLD, WRONG_USAGE = 0, 1, 2

#: Without a terminal there is no width to keep to; a table must not be cut into pieces.
_WIDTH = None if sys.stdout.isatty() else 140

console = TextConsole(width=_WIDTH)
errors = TextConsole(stderr=True)
# Whoever can print can fail, also where nothing catches it.
sys.excepthook = tell_uncaught
if isinstance(sys.stdout, io.TextIOWrapper):
    # As standard error does: what the terminal's encoding lacks is written out, and ends nothing.
    sys.stdout.reconfigure(errors="backslashreplace")


def say_error(error: PipelineError, program: str) -> None:
    """Say what was wrong, a line for each fault; what is quoted makes no line of its own."""
    first, *more = error.lines
    errors.print(f"{program}: {first}", style="red")
    for line in more:
        errors.print(line, style="red")


def print_json(document: Any, *, indent: bool = True) -> None:
    """Print a document as JSON, for programs; also a terminal can show it.

    Parameters
    ----------
    indent : bool
        Over several lines, else in one.
    """
    try:
        text = orjson.dumps(document, option=orjson.OPT_INDENT_2 if indent else None).decode()
    except TypeError:
        # It refuses a lone surrogate, which a file's name has for a byte that is no UTF-8.
        text = json.dumps(document, indent=2 if indent else None)
    _write(printable_json(text) + "\n")


def print_json_text(text: str) -> None:
    """Print a JSON text in one line; nothing of it changes but how characters are written."""
    # White space of JSON that is no space stands between its parts, never in a string.
    _write(printable_json(" ".join(re.split("[\t\n\r]", text))) + "\n")


def print_text(text: str) -> None:
    """Print text of several lines as it is, to be put into a file."""
    _write(printable_lines(text))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand to the right."""
    rows = [tuple(row) for row in rows]
    right = [
        bool(rows) and all(isinstance(row[number], int | float) for row in rows)
        for number in range(len(columns))
    ]
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    console.print(table(title, columns, cells, right))


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool]
) -> Table:
    """Return a table, each cell one line of text.

    Parameters
    ----------
    right : Sequence[bool]
        For each column, whether its cells stand to the right.
    """
    made = Table(title=styled(title, "bold"), title_justify="left")
    for column, to_the_right in zip(columns, right, strict=True):
        justify: Any = "right" if to_the_right else "left"
        made.add_column(styled(column), justify=justify, overflow="fold")
    for row in rows:
        made.add_row(*map(styled, row))
    return made


def styled(text: str, style: str = "") -> Text:
    """Return one line of text in a style, as a part of a screen."""
    return Text(printable(text), style=style)


def screen_of(parts: Iterable[RenderableType]) -> Group:
    """Return what stands below one another on a screen."""
    return Group(*parts)


def live_screen() -> Live:
    """Return a screen that is shown again in its own place."""
    return Live(console=console, auto_refresh=False, transient=False)


class _Words(TextColumn):
    """What goes on, and at what rate: a field of a task as text."""

    def render(self, task: Task) -> Text:
        """Return the text of a task."""
        return styled(self.text_format.format(task=task))


def progress_bar(*, in_bytes: bool = False) -> Progress:
    """Return a progress bar with rate and remaining time; it stays silent without a terminal."""
    return Progress(
        _Words("{task.description}"),
        BarColumn(),
        DownloadColumn() if in_bytes else MofNCompleteColumn(),
        _Words("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=errors,
        disable=not errors.is_terminal,
    )
