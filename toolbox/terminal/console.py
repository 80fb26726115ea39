"""A console to which all text is somebody else's: no markup, and each character shows.

It is the one way to a terminal. Text of senders is in explanations, keys, names and errors alike,
so what is printed is not sorted into the house's own and others': all of it is treated the same,
at the place where Rich makes text of a `str`, and once more where it is written.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.segment import Segment
from rich.text import Text

from toolbox.terminal.printable import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import JustifyMethod, OverflowMethod, RenderableType
    from rich.status import Status
    from rich.style import Style


class TextConsole(Console):
    """Prints each `str` as it is, in one line; styles are given beside it, never in it.

    What Rich reads in text is left alone: markup (`[bold]`, `[link=…]`), and the names of emoji.

    Parameters
    ----------
    stderr : bool
        Write there, and not to standard output.
    width : int | None
        Columns; None asks the terminal.
    """

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(
            stderr=stderr,
            width=width,
            emoji=False,
            highlight=False,
            soft_wrap=True,
        )

    def on_broken_pipe(self) -> None:
        """Leave it to the program what to do where nobody reads any more."""
        raise BrokenPipeError

    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        **_: Any,
    ) -> Text:
        """Make text of a `str`: what is printed, a cell of a table, its title."""
        return Text(printable(text), style=style, justify=justify, overflow=overflow)

    def lines(self, text: str, *, style: str | None = None, prefix: str = "") -> None:
        """Print text that has lines of its own.

        Parameters
        ----------
        prefix : str
            Stands before each. Others' lines need one: without it they could pass for the house's.
        """
        for line in text.split("\n"):
            self.print(prefix + line, style=style)

    def status(self, status: RenderableType, **options: Any) -> Status:
        """Show what goes on, with a spinner, which would read markup in a `str`."""
        shown = Text(printable(status)) if isinstance(status, str) else status
        return super().status(shown, **options)

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        """Write out what Rich has laid out; what is no `str` comes past `render_str`."""
        return super()._render_buffer(
            segment
            if segment.control
            else Segment(
                printable_lines(segment.text),
                segment.style.update_link(None) if segment.style else None,
            )
            for segment in buffer
        )


def tell_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Print a stack trace as text: the errors of libraries quote what they were given."""
    import traceback

    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    TextConsole(stderr=True).lines("".join(traceback.format_exception(kind, error, trace)).rstrip())
