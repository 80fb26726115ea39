"""What goes on, drawn in place: progress bars, and screens that are shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from toolbox.terminal.tables import styled

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.text import Text

    from toolbox.terminal.console import TextConsole


class _Words(TextColumn):
    """What goes on, and at what rate: a field of a task as text."""

    def render(self, task: Task) -> Text:
        """Return the text of a task."""
        return styled(self.text_format.format(task=task))


def bar(console: TextConsole, *, in_bytes: bool) -> Progress:
    """Return a progress bar with rate and remaining time; it stays silent without a terminal."""
    return Progress(
        _Words("{task.description}"),
        BarColumn(),
        DownloadColumn() if in_bytes else MofNCompleteColumn(),
        _Words("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def screen(console: TextConsole) -> Live:
    """Return a screen that is shown again in its own place."""
    return Live(console=console, auto_refresh=False, transient=False)
