"""Which settings a command works with: one rule for all of them.

The configuration folder is what `--config` names, or `CONFIG`; else the nearest one on the way up
from here: a folder `config/`, or a repository that is one. The stage is what `--stage` names, or
`STAGE`; else `dev`. What commands make (`.local`, `cdk.out`) lies beside the configuration.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import PipelineError
from toolbox.project.next_steps import choice
from toolbox.terminal.nearest import unknown
from toolbox.terminal.output import errors

if TYPE_CHECKING:
    from settings.deployment import Deployment

FOLDER, DELIVERY, DEFAULT_STAGE = "config", "delivery.yaml", "dev"
#: A stage's settings have both keys, whatever else is wrong with them.
_STAGE_KEYS = tuple(re.compile(rb"^%s\s*:" % key, re.MULTILINE) for key in (b"service", b"sources"))
#: Files of a folder, and bytes of each, that are looked at to know it.
_MOST_FILES, _MOST_BYTES = 100, 65_536


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
        if not choice.said and (errors.is_terminal or self.is_named):
            choice.said = True
            errors.print(f"settings: {self.said}", style="dim")

    @property
    def home(self) -> Path:
        """Where commands keep what they make."""
        return self.config.parent if self.config.absolute().name == FOLDER else self.config


def find_project() -> Project:
    """Find the settings that this command works with.

    Raises
    ------
    ProjectError
        When the folder that was named is none.
    """
    given = choice.config or os.environ.get("CONFIG")
    if given:
        config = Path(given)
        by = "--config" if choice.config else "CONFIG"
        if not config.is_dir():
            raise ProjectError(f"{by}: {given}: there is no such folder")
        said = str(config) if choice.config else f"{config} (CONFIG)"
    else:
        config = Path(os.path.relpath(_above(Path.cwd())))
        said = str(config)
    named = choice.stage or os.environ.get("STAGE")
    by = " (STAGE)" if named and not choice.stage else ""
    chosen = named or DEFAULT_STAGE
    return Project(config, chosen, f"{said}, stage {chosen}{by}", bool(named), bool(given))


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
    if not file.is_file():  # to open a pipe is to wait for its other end
        return False
    with file.open("rb") as content:
        text = content.read(_MOST_BYTES)
    return all(key.search(text) for key in _STAGE_KEYS)


def stages(config: Path) -> list[str]:
    """Return the stages that a folder has files of."""
    files = filter(Path.is_file, islice(config.glob("*.yaml"), _MOST_FILES))
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


def require_file(path: Path, option: str) -> None:
    """See that a file can be written, before the work that its content takes.

    Raises
    ------
    ProjectError, OSError
        When it cannot.
    """
    parent = path.absolute().parent
    require_folder(parent, option)
    parent.mkdir(parents=True, exist_ok=True)
    if path.is_fifo():  # whoever reads it would take its end for that of the report
        return
    was_there = os.path.lexists(path)
    with path.open("ab"):  # nothing but a try shows it
        pass
    if not was_there:
        path.unlink()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # such as a name that is too long
        return False


Assembly = Annotated[
    Path,
    typer.Option(callback=at_home, help="Where the cloud assembly goes, or lies already."),
]
DEFAULT_ASSEMBLY = Path("cdk.out")
