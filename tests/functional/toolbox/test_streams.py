"""Output that nobody takes: a reader who has left, a full disk, a stream that was never open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RUN = "from toolbox.cli.main import run; run()"
#: One writes a table, the other lines.
COMMANDS = [("cost",), ("source", "show", "generic")]


def ended(words: tuple[str, ...], redirected: str) -> tuple[int, str]:
    """Return the status of a command, and what it wrote to standard error."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-c", RUN, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_where_nobody_reads_it_ends_as_a_shell_expects(words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-c", RUN, *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode == 141, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_what_cannot_be_written_is_one_line(words: tuple[str, ...]) -> None:
    status, said = ended(words, ">/dev/full")
    assert (status, said) == (2, "mozdef-ef: what was written: No space left on device\n")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_stream_that_is_closed_is_none_that_fails(words: tuple[str, ...]) -> None:
    status, said = ended(words, "<&- >&-")
    assert (status, "Traceback" in said) == (0, False)
