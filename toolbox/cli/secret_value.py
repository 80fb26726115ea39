"""Gets the value of a secret without showing it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from toolbox.cli.secret_forms import (
    SecretFormError,
    check_form,
    generate,
    generate_text,
    weakness,
)
from toolbox.terminal.output import errors

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource


def obtain(loaded: LoadedSource, kind: str, *, stdin: bool, generated: bool) -> str:
    """Get a value for a source's secret: from a prompt, standard input or a random source.

    Parameters
    ----------
    kind : str
        The last part of the parameter's name. One beside the source's own holds any text.
    stdin, generated : bool
        Where to take it from; from a prompt when neither is set.

    Raises
    ------
    SecretFormError
        When there is nobody to ask, or the value cannot be this source's secret.
    """
    if stdin and generated:
        raise SecretFormError("--stdin and --generate: choose one")
    own = kind == loaded.settings.parameter
    made = generate(loaded) if generated and own else generate_text() if generated else ""
    value = made or (_read_stdin() if stdin else _ask(loaded, kind))
    check_form(loaded, value, own=own)
    if weak := weakness(value):
        errors.print(f"mozdef-ef: warning: {loaded.name}: {weak}", style="yellow")
    return value


def _read_stdin() -> str:
    try:
        text = sys.stdin.read()
    except UnicodeDecodeError:
        raise SecretFormError("standard input: the secret is no UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def _ask(loaded: LoadedSource, kind: str) -> str:
    if not _at_terminal():
        raise SecretFormError("there is no terminal to ask at; use --stdin or --generate")
    what = kind.replace("_", " ")
    return str(typer.prompt(f"{what} of {loaded.name}", hide_input=True, confirmation_prompt=True))


def _at_terminal() -> bool:
    return sys.stdin.isatty()
