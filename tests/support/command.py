"""Runs `mozdef-ef` in this process, as a shell would see it."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from toolbox.cli import main
from toolbox.cli.lazily import LazyCommand
from toolbox.project.next_steps import Choice, choice

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str


def bare_environment(**variables: str) -> dict[str, str]:
    """The machine's environment without its tools and without what this process was given.

    What belongs to its network stays: certificates of a proxy that inspects TLS, a mirror's name.
    """
    dropped = ("AWS_", "CDK_", "CONFIG", "POWERTOOLS_", "PYTEST_", "PYTHON", "STAGE", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "PATH": "/usr/bin:/bin", "CDK_DISABLE_CLI_TELEMETRY": "1", **variables}


#: A process has one command line, which is made of functions' signatures and holds no state.
_get_command = cache(typer.main.get_command)


def run_here(*arguments: object, stdin: str = "") -> Done:
    """Run the command line in this process: an interpreter's start takes longer than most of it."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(typer.main, "get_command", _get_command)
        patch.setattr(sys, "argv", ["mozdef-ef", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main.run()
    code = ended.value.code
    return Done(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def completions(words: str) -> list[str]:
    """Return what bash is told for the last word of a line; nothing else may be written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("_MOZDEF_EF_COMPLETE", "complete_bash")
        patch.setenv("COMP_WORDS", words)
        patch.setenv("COMP_CWORD", str(words.count(" ")))
        # Of `python -m`, the variable would have another name.
        patch.setattr(sys.modules["__main__"], "__package__", "")
        done = run_here()
    assert done.err == ""
    return done.out.split()


@contextmanager
def given(*words: str) -> Iterator[Any]:
    """Be within a command that was given these words, which is read and not run.

    Yields
    ------
    typer.Context
        What was read.

    Raises
    ------
    typer.exceptions.TyperException
        When it would be refused as it is spelled.
    """
    left, found = list(words), _get_command(main.app)
    while left and left[0] in getattr(found, "commands", {}):
        found = found.commands[left.pop(0)]  # type: ignore[attr-defined]
        found = found.loaded() if isinstance(found, LazyCommand) else found
    try:
        yield found.make_context(found.name, left)
    finally:
        vars(choice).update(vars(Choice()))
