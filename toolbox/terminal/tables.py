"""Tables that fit: drawn where there is room, else a block of `name: value` lines for each row.

Where no terminal reads, a table is tab-separated values: a header line, then a line for each row,
numbers as they are. No cell can hold a tab or a line feed: `printable` writes both out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from toolbox.terminal.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType

#: Columns of a text that is folded: narrower than this, it is easier to read as a block.
_READABLE = 24
_WIDEST = 10_000


class FittingTable:
    """Rows of one-line cells below a title.

    Parameters
    ----------
    right : Sequence[bool]
        For each column, whether its cells stand to the right. All where it is left out: those of
        numbers alone.
    """

    def __init__(
        self,
        title: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        right: Sequence[bool] | None = None,
    ) -> None:
        self.title = title
        self.columns = tuple(columns)
        self.rows = [tuple(row) for row in rows]
        self._right = right or [
            bool(self.rows) and all(isinstance(row[at], int | float) for row in self.rows)
            for at in range(len(self.columns))
        ]

    def tab_separated(self) -> str:
        """Return the rows below the names of their columns, for programs."""
        lines = (self.columns, *self.rows)
        return "".join("\t".join(printable(str(cell)) for cell in one) + "\n" for one in lines)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Draw it as wide as the terminal is."""
        yield styled(self.title, "bold")
        if not self.rows:
            return
        cells = [[f"{one:,}" if isinstance(one, int) else str(one) for one in row]
                 for row in self.rows]  # fmt: skip
        drawn = self._drawn(cells)
        # A measurement is never wider than what it is given.
        room = options.update(width=_WIDEST)
        if Measurement.get(console, room, drawn).minimum <= options.max_width:
            yield drawn
            return
        for row in cells:
            yield Text("")
            yield self._block(row)

    def _drawn(self, rows: Sequence[Sequence[str]]) -> Table:
        made = Table()
        for at, (name, to_the_right) in enumerate(zip(self.columns, self._right, strict=True)):
            longest = max(len(printable(row[at])) for row in rows)
            justify: Any = "right" if to_the_right else "left"
            made.add_column(
                styled(name),
                justify=justify,
                overflow="fold",
                min_width=min(longest, _READABLE),
            )
        for row in rows:
            made.add_row(*map(styled, row))
        return made

    def _block(self, row: Sequence[str]) -> Table:
        made = Table.grid(padding=(0, 1))
        made.add_column(no_wrap=True, min_width=1 + max(map(len, self.columns)))
        made.add_column(overflow="fold")
        for name, cell in zip(self.columns, row, strict=True):
            if cell:
                made.add_row(styled(f"{name}:"), styled(cell))
        return made


def styled(text: str, style: str = "") -> Text:
    """Return one line of text in a style, as a part of a screen."""
    return Text(printable(text), style=style)
