"""What the running command was told of the settings, and what is typed after it.

A command to type next repeats the options that say where the present one works.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pathlib import Path

    import typer

_Error = TypeVar("_Error", bound=PipelineError)


@dataclass
class Choice:
    """What a command was given, while it runs."""

    context: typer.Context | None = None
    config: Path | None = None
    stage: str | None = None
    said: bool = False


choice = Choice()


def next_step(command: str) -> str:
    """Return a command to type: with the options of place that the present one was given."""
    return f"mozdef-ef {_with_places(command)}"


def placed(error: _Error) -> _Error:
    """Return an error whose command to type next has these options."""
    error.then = error.then and _with_places(error.then)
    return error


def _with_places(command: str) -> str:
    context, words = choice.context, [command]
    group = command.partition(" ")[0]
    for option in PLACES.get(group, _OF_WHAT_RUNS):
        name = option if context and option in context.params else _ELSEWHERE.get(option, option)
        source = context.get_parameter_source(name) if context else None
        is_given = source is not None and source.name == "COMMANDLINE"
        if context and is_given and f"--{option} " not in command:
            words += [f"--{option}", shlex.quote(str(context.params[name]))]
    return " ".join(words)


_OF_SETTINGS = ("config", "stage")
_OF_WHAT_RUNS = (*_OF_SETTINGS, "state", "stack")
#: Command or group → the options that say where it works, if they are not those of what runs.
PLACES = {
    "source": (*_OF_SETTINGS, "sources"),
    "secret": (*_OF_WHAT_RUNS, "sources"),
    **dict.fromkeys(("local", "send", "tail"), (*_OF_SETTINGS, "state")),
    **dict.fromkeys(("config", "cdk"), _OF_SETTINGS),
    "synth": (*_OF_SETTINGS, "output"),
}
#: What other commands call such an option.
_ELSEWHERE = {"output": "assembly"}
