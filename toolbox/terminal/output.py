"""How the command line speaks: tables, progress, JSON, and one line for each error."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Group

from toolbox.terminal.console import TextConsole, tell_uncaught
from toolbox.terminal.printable import printable_json, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType
    from rich.live import Live
    from rich.progress import Progress

    from pipeline.errors import PipelineError

#: Done; the thing asked about does not hold; wrong usage or settings.
DONE, DOES_NOT_HOLD, WRONG_USAGE = 0, 1, 2

console = TextConsole()
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
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Without its number, by which Typer would know it and end with 1.
        raise BrokenPipeError from None


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand to the right."""
    from toolbox.terminal.tables import FittingTable

    print_screen([FittingTable(title, columns, rows)])


def print_screen(parts: Iterable[RenderableType], *, paged: bool = False) -> None:
    """Print what stands below one another on a screen.

    Without a terminal a table is tab-separated values, and its title goes to standard error: what
    is left for a program are rows.

    Parameters
    ----------
    paged : bool
        Show what is higher than the terminal page by page. `PAGER` and `LESS` are honoured.
    """
    parts = list(parts)
    if not console.is_terminal:
        _print_plain(parts)
        return
    shown = Group(*parts)
    lines = console.render_lines(shown, pad=False) if paged and sys.stdin.isatty() else []
    if len(lines) < console.height:
        console.print(shown, soft_wrap=False)
        return
    # As git and gh have it: colours pass, one screen needs no key, and what was read stays.
    os.environ.setdefault("LESS", "FRX")
    with console.pager(styles=console.color_system is not None):
        console.print(shown, soft_wrap=False)


def _print_plain(parts: Sequence[RenderableType]) -> None:
    from toolbox.terminal.tables import FittingTable

    for part in parts:
        if isinstance(part, FittingTable):
            errors.print(part.title)
            _write(part.tab_separated())
        else:
            console.print(part)


def live_screen() -> Live:
    """Return a screen that is shown again in its own place."""
    from toolbox.terminal import progress

    return progress.screen(console)


def progress_bar(*, in_bytes: bool = False) -> Progress:
    """Return a progress bar with rate and remaining time; it stays silent without a terminal."""
    from toolbox.terminal import progress

    return progress.bar(errors, in_bytes=in_bytes)
