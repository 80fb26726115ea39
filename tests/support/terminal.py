"""What a person sees of a command: the screen of a terminal, compared with a golden file.

`in_terminal` runs a program below a pseudo-terminal and reads its screen as a terminal would;
`shown` draws in this process, which is enough where only the layout is looked at. `make golden`
writes the files anew.
"""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect  # type: ignore[import-untyped]
import pyte
import pytest

from toolbox.terminal.output import console, errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FOLDER = Path(__file__).parents[1] / "golden" / "terminal"
PROGRAM = str(Path(sys.executable).parent / "mozdef-ef")
ROWS, COLUMNS = 24, 80
#: What `less` writes when there is more.
_PAGER_WAITS = r":\x1b\[K"
#: Seconds. It catches what hangs, and judges nothing.
HANGS = 600
#: What differs from run to run; each is replaced by as many characters, so that nothing moves.
_CHANGING = (
    re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?( ?UTC|Z)?"),
    re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,64}\b"),
    re.compile(r"(?<=127\.0\.0\.1:)\d{4,5}"),
    re.compile(r"\b\d+(\.\d+)?(?= ?(s|ms|min|h|d)\b)"),
)


class Screen:
    """A program below a terminal, and what stands on its screen.

    Parameters
    ----------
    words : Sequence[str]
        The program and its arguments.
    """

    def __init__(
        self, words: Sequence[str], *, rows: int, columns: int, cwd: Path, **variables: str
    ) -> None:
        self._seen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._seen)
        environment = {**os.environ, "TERM": "xterm-256color", **variables}
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
            environment.pop(name, None)
        self._child = pexpect.spawn(
            words[0],
            list(words[1:]),
            dimensions=(rows, columns),
            env=environment,
            cwd=str(cwd),
            encoding="utf-8",
            timeout=HANGS,
            logfile=self,
        )

    def write(self, text: str) -> None:
        """Take what the program wrote."""
        self._stream.feed(text)

    def flush(self) -> None:
        """Nothing waits."""

    def wait_for(self, pattern: str) -> str:
        """Wait until a text was written, and return the screen."""
        self._child.expect(pattern)
        return self.text

    def first_page(self) -> str:
        """Return the screen once the program is over or its pager waits; the pager is left."""
        if self._child.expect([_PAGER_WAITS, pexpect.EOF]) == 0:
            text = self.text
            self.type("q")
            return text
        return self.text

    def type(self, keys: str) -> None:
        """Type; what is echoed is what the program writes."""
        self._child.logfile = None
        self._child.logfile_read = self
        self._child.send(keys)

    def end(self) -> int:
        """Wait for the end of the program; return its exit status, 128 and more for a signal."""
        self._child.expect(pexpect.EOF)
        self._child.close()
        status = self._child.exitstatus
        return int(status) if status is not None else 128 + int(self._child.signalstatus)

    @property
    def text(self) -> str:
        """The screen: its lines without the white space at their ends."""
        return "\n".join(line.rstrip() for line in self._seen.display).rstrip() + "\n"


@contextmanager
def in_terminal(
    *words: str,
    rows: int = ROWS,
    columns: int = COLUMNS,
    cwd: Path | None = None,
    **variables: str,
) -> Iterator[Screen]:
    """Run a program below a terminal; it ends with the block at the latest."""
    screen = Screen(words, rows=rows, columns=columns, cwd=cwd or Path.cwd(), **variables)
    try:
        yield screen
    finally:
        screen._child.close(force=True)


def screen_of(*words: str, status: int = 0) -> str:
    """Return the first screen of a command of the project's program, which fits."""
    with in_terminal(PROGRAM, *words, cwd=FOLDER.parents[2]) as screen:
        text = screen.first_page()
        ended = screen.end()
    assert ended == status, text
    fits(text)
    assert len(text.splitlines()) <= ROWS
    return text


def shown(
    render: Callable[[], Any], *, columns: int = COLUMNS, rows: int = ROWS, colours: bool = False
) -> str:
    """Return what is drawn on a terminal of this size; what is higher is not cut."""
    told = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(told), redirect_stderr(told):
        for one in (console, errors):
            patch.setattr(one, "_force_terminal", True)
            patch.setattr(one, "_color_system", one._color_system if colours else None)
            patch.setattr(one, "_width", columns)
            patch.setattr(one, "_height", rows)
        render()
    return "".join(f"{line.rstrip()}\n" for line in told.getvalue().splitlines())


def is_golden(name: str, text: str) -> None:
    """See that a screen is that of `tests/golden/terminal/<name>.txt`, but for times and ids."""
    file, stable = FOLDER / f"{name}.txt", text
    for pattern in _CHANGING:
        stable = pattern.sub(lambda found: re.sub(r"[0-9a-f]", "0", found[0]), stable)
    if os.environ.get("GOLDEN") == "write":
        FOLDER.mkdir(parents=True, exist_ok=True)
        file.write_text(stable, encoding="utf-8")
    wanted = file.read_text(encoding="utf-8") if file.exists() else ""
    assert stable == wanted, f"{file.name} is another; 'make golden' writes it anew"


def fits(text: str, columns: int = COLUMNS) -> None:
    """See that no line is wider than the terminal."""
    wide = [line for line in text.splitlines() if len(line) > columns]
    assert not wide, wide[0]
