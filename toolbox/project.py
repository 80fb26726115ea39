"""Which settings a command works with: one rule for all of them.

The configuration folder is what `--config` names, or `CONFIG`; else the nearest one on the way up
from here: a folder `config/`, or a repository that is one. The stage is what `--stage` names, or
`STAGE`; else `dev`. What commands make (`.local`, `cdk.out`) lies beside the configuration.

Every command takes both options: `toolbox/cli/lazily.py` adds them, and they are read before
the others, so that `find_project` can be called from anywhere.
"""

from __future__ import annotations

import inspect
import os
import re
import shlex
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from pipeline.errors import PipelineError
from toolbox.terminal.nearest import unknown
from toolbox.terminal.output import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from settings.deployment import Deployment

FOLDER, DELIVERY, DEFAULT_STAGE = "config", "delivery.yaml", "dev"
#: A stage's settings have both keys, whatever else is wrong with them.
_STAGE_KEYS = tuple(re.compile(rb"^%s\s*:" % key, re.MULTILINE) for key in (b"service", b"sources"))
#: Files of a folder, and bytes of each, that are looked at to know it.
_MOST_FILES, _MOST_BYTES = 100, 65_536
#: Nobody waits longer for a word to be completed.
COMPLETED_SECONDS = 2.0


class ProjectError(PipelineError):
    """The settings that were named are not there."""


@dataclass(frozen=True)
class Project:
    """A configuration folder, and one of its stages.

    Parameters
    ----------
    said : str
        How both are known, for the line that a command begins with.
    stage_is_named, is_named : bool
        Whether somebody chose the stage, and the folder.
    """

    config: Path
    stage: str
    said: str
    stage_is_named: bool = False
    is_named: bool = False

    @property
    def stage_file(self) -> Path:
        """Where the settings of the stage are, or would be."""
        return self.config / f"{self.stage}.yaml"

    def require_stage(self) -> None:
        """See that the folder has the stage.

        Raises
        ------
        NotFoundError
            When it has none of that name.
        """
        if not self.stage_file.is_file():
            raise unknown(f"stage in {self.config}", self.stage, stages(self.config))

    def deployment(self) -> Deployment:
        """Read the settings of the stage."""
        from settings.deployment import load_deployment

        self.require_stage()
        return load_deployment(self.stage_file)

    @property
    def sources(self) -> Path:
        """The directory of private sources: what the stage says, where it is one."""
        if self.stage_file.is_file():
            return self.deployment().source_directory
        return self.config / "sources"

    def say(self) -> None:
        """Print which settings these are, once, and apart from what a program reads.

        Without a terminal only where somebody named the folder: else it is the one that is here.
        """
        if not _choice.said and (errors.is_terminal or self.is_named):
            _choice.said = True
            errors.print(f"settings: {self.said}", style="dim")

    @property
    def home(self) -> Path:
        """Where commands keep what they make."""
        return self.config.parent if self.config.absolute().name == FOLDER else self.config


@dataclass
class _Choice:
    """What a command was given, while it runs."""

    context: typer.Context | None = None
    config: Path | None = None
    stage: str | None = None
    said: bool = False


_choice = _Choice()


def find_project() -> Project:
    """Find the settings that this command works with.

    Raises
    ------
    ProjectError
        When the folder that was named is none.
    """
    given = _choice.config or os.environ.get("CONFIG")
    if given:
        config = Path(given)
        by = "--config" if _choice.config else "CONFIG"
        if not config.is_dir():
            raise ProjectError(f"{by}: {given}: there is no such folder")
        said = str(config) if _choice.config else f"{config} (CONFIG)"
    else:
        config = Path(os.path.relpath(_above(Path.cwd())))
        said = str(config)
    named = _choice.stage or os.environ.get("STAGE")
    by = " (STAGE)" if named and not _choice.stage else ""
    chosen = named or DEFAULT_STAGE
    return Project(config, chosen, f"{said}, stage {chosen}{by}", bool(named), bool(given))


def next_step(command: str) -> str:
    """Return a command to type: with the options of place that the present one was given."""
    context, words = _choice.context, ["mozdef-ef", command]
    group = command.partition(" ")[0]
    for name in PLACES.get(group, _OF_WHAT_RUNS):
        source = context.get_parameter_source(name) if context else None
        if context and source is not None and source.name == "COMMANDLINE":
            words += [f"--{name}", shlex.quote(str(context.params[name]))]
    return " ".join(words)


_OF_SETTINGS = ("config", "stage")
_OF_WHAT_RUNS = (*_OF_SETTINGS, "state", "stack")
#: Command or group → the options that say where it works, if they are not those of what runs.
PLACES = {
    "source": (*_OF_SETTINGS, "sources"),
    "secret": (*_OF_WHAT_RUNS, "sources"),
    **dict.fromkeys(("local", "send", "tail"), (*_OF_SETTINGS, "state")),
    **dict.fromkeys(("config", "synth", "cdk"), _OF_SETTINGS),
}


def _above(start: Path) -> Path:
    for folder in (start, *start.parents):
        if folder != start and not _is_own(folder):
            break
        if _is_configuration(folder / FOLDER):
            return folder / FOLDER
        if _is_configuration(folder):
            return folder
    return start / FOLDER


def _is_own(folder: Path) -> bool:
    """Tell whether nobody else can have put settings there, as anybody can in /tmp."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return found.st_uid in {0, os.getuid()} and not found.st_mode & stat.S_IWOTH


def _is_configuration(folder: Path) -> bool:
    try:
        if (folder / DELIVERY).is_file() or next(folder.glob("sources/*/source.yaml"), None):
            return True
        return any(map(_is_stage, islice(folder.glob("*.yaml"), _MOST_FILES)))
    except OSError:
        return False


def _is_stage(file: Path) -> bool:
    with file.open("rb") as content:
        text = content.read(_MOST_BYTES)
    return all(key.search(text) for key in _STAGE_KEYS)


def stages(config: Path) -> list[str]:
    """Return the stages that a folder has files of."""
    files = islice(config.glob("*.yaml"), _MOST_FILES)
    return sorted(file.stem for file in files if not file.stem.startswith("delivery"))


def at_home(context: typer.Context, param: typer.CallbackParam, value: Path) -> Path:
    """Return a folder that nobody named as one beside the configuration."""
    source = context.get_parameter_source(param.name or "")
    if source is None or source.name != "DEFAULT" or value.is_absolute():
        return value
    return Path(os.path.normpath(find_project().home / value))


def require_folder(path: Path, option: str) -> None:
    """See that a folder is there, or can be made: before the work that its content takes.

    Raises
    ------
    ProjectError
        When it is a file, or below one, or nobody may write there.
    """
    there = next((one for one in (path, *path.absolute().parents) if _exists(one)), path)
    if not there.is_dir():
        raise ProjectError(f"{option}: {path}: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ProjectError(f"{option}: {path}: {there} cannot be written to")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # such as a name that is too long
        return False


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
        _choice.config, _choice.stage = line.get("config"), line.get("stage")
        looker = threading.Thread(target=look, daemon=True)
        looker.start()
        looker.join(COMPLETED_SECONDS)
        return [] if looker.is_alive() else found

    # Typer goes by the types, and reads no postponed ones.
    complete.__annotations__ = {"ctx": typer.Context, "incomplete": str}
    return complete


def _choose_config(context: typer.Context, value: Path | None) -> Path | None:
    if not context.resilient_parsing:
        _choice.context, _choice.config, _choice.said = context, value, False
    return value


def _choose_stage(context: typer.Context, value: str | None) -> str | None:
    if not context.resilient_parsing:
        _choice.stage = value
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
        finally:
            vars(_choice).update(vars(_Choice()))

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


Assembly = Annotated[
    Path,
    typer.Option(callback=at_home, help="Where the cloud assembly goes, or lies already."),
]
DEFAULT_ASSEMBLY = Path("cdk.out")
