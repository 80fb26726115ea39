"""The options `--config` and `--stage`, which every command takes, and what completes words.

`toolbox/cli/lazily.py` adds them, and they are read before the others, so that `find_project` can
be called from anywhere.
"""

from __future__ import annotations

import inspect
import threading
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from pipeline.errors import PipelineError
from toolbox.project.finding import find_project, stages
from toolbox.project.next_steps import Choice, choice, placed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Nobody waits longer for a word to be completed.
COMPLETED_SECONDS = 2.0


def completed(names: Callable[[dict[str, Any]], Iterable[str]]) -> Callable[..., list[str]]:
    """Return what completes a word; what cannot be read in time completes none, and says nothing.

    Parameters
    ----------
    names : Callable[[dict[str, Any]], Iterable[str]]
        Is given what stands on the line already, by the parameters' names; below `left` the words
        before an option whose value is asked for, which are no parameters yet.
    """

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        found: list[str] = []

        def look() -> None:
            # A shell shows what is written in the midst of its line.
            with suppress(Exception):
                found.extend(one for one in names(line) if one.startswith(incomplete))

        line = {**ctx.params, "left": ctx.args}
        choice.config, choice.stage = line.get("config"), line.get("stage")
        looker = threading.Thread(target=look, daemon=True)
        looker.start()
        looker.join(COMPLETED_SECONDS)
        return [] if looker.is_alive() else found

    # Typer goes by the types, and reads no postponed ones.
    complete.__annotations__ = {"ctx": typer.Context, "incomplete": str}
    return complete


def _choose_config(context: typer.Context, value: Path | None) -> Path | None:
    if not context.resilient_parsing:
        choice.context, choice.config, choice.said = context, value, False
    return value


def _choose_stage(context: typer.Context, value: str | None) -> str | None:
    if not context.resilient_parsing:
        choice.stage = value
    return value


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        is_eager=True,
        callback=_choose_config,
        help="The configuration folder; default: CONFIG, or the nearest above.",
    ),
]
StageName = Annotated[
    str | None,
    typer.Option(
        "--stage",
        is_eager=True,
        callback=_choose_stage,
        help="A stage's settings: <stage>.yaml; default: STAGE, or dev.",
        autocompletion=completed(lambda _: stages(find_project().config)),
    ),
]


def with_project(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command's function that takes `--config` and `--stage`, too."""

    @wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **{name: options[name] for name in options if name in own})
        except PipelineError as error:
            placed(error)
            raise
        finally:
            vars(choice).update(vars(Choice()))

    known = inspect.signature(function)
    own = known.parameters.keys()
    added = {"config": Config, "stage": StageName}
    added = {name: kind for name, kind in added.items() if name not in own}
    hints: dict[str, Any] = {**get_type_hints(function, include_extras=True), **added}
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in added
    ]
    parameters = [
        one.replace(annotation=hints[one.name]) for one in (*known.parameters.values(), *keywords)
    ]
    called.__signature__ = known.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = hints
    del called.__wrapped__  # its annotations would be read again
    return called
