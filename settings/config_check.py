"""Checks a whole configuration folder: every stage, the delivery pipeline, every private source."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from settings.delivery_stages import FILE, load_delivery, plan_stages
from settings.deployment import load_deployment
from settings.source.loader import available_sources, load_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settings.deployment import Deployment

EXAMPLES = "delivery-*.yaml"
"""Further settings of a delivery pipeline: an example, or a second pipeline's."""


class ConfigCheckError(PipelineError):
    """There is no configuration to check."""


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where.

    Parameters
    ----------
    file : str
        The file, or the folder of a source.
    key : str
        The key in it; empty where the whole file is meant.
    expected : str
        What is wrong with it, and what is expected.
    """

    file: str
    key: str
    expected: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.expected) if part)

    def document(self) -> dict[str, str]:
        """Give it for a program to read."""
        return asdict(self)


@dataclass
class Checked:
    """What was checked, and what is wrong with it."""

    files: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def add(self, error: PipelineError) -> None:
        """Note the faults of an error, each once."""
        for line in str(error).splitlines():
            fault = _fault(line)
            if fault not in self.faults:
                self.faults.append(fault)


def check_config(config: Path) -> Checked:
    """Load everything in a configuration folder.

    Parameters
    ----------
    config : Path
        The folder.

    Raises
    ------
    ConfigCheckError
        When there is no such folder, or no settings are in it.
    """
    if not config.is_dir():
        raise ConfigCheckError(f"{config}: there is no such folder")
    checked = Checked()
    deliveries = {path for path in (config / FILE, *config.glob(EXAMPLES)) if path.is_file()}
    directories = {config / "sources"}
    for path in sorted(set(config.glob("*.yaml")) - deliveries):
        checked.files.append(str(path))
        _check_stage(path, checked, directories)
    for path in sorted(deliveries):
        checked.files.append(str(path))
        _check_delivery(path, checked, directories, example=path.name != FILE)
    for directory in sorted(directories):
        _check_sources(directory, checked)
    if not checked.files:
        raise ConfigCheckError(f"{config}: no settings of a stage (<stage>.yaml) in this folder")
    return checked


def _check_stage(path: Path, checked: Checked, directories: set[Path]) -> None:
    try:
        deployment = load_deployment(path)
    except PipelineError as error:
        checked.add(error)
        return
    directories.add(deployment.source_directory)
    checked.faults += _unknown_sources(path, deployment)


def _check_delivery(path: Path, checked: Checked, directories: set[Path], *, example: bool) -> None:
    try:
        delivery = load_delivery(path)
        if example:
            # Its stages are those of a configuration that it is an example for.
            return
        plans = plan_stages(delivery, path)
    except PipelineError as error:
        checked.add(error)
        return
    for plan in plans:
        for name, stack in zip(plan.stage.files, plan.stacks, strict=True):
            file = path.parent / name
            if str(file) in checked.files:
                continue
            checked.files.append(str(file))
            directories.add(stack.deployment.source_directory)
            checked.faults += _unknown_sources(file, stack.deployment)


def _unknown_sources(path: Path, deployment: Deployment) -> Iterator[Fault]:
    found = available_sources(deployment.source_directory)
    for number, name in enumerate(deployment.sources):
        if name not in found:
            known = ", ".join(sorted(found))
            yield Fault(
                str(path), f"sources.{number}", f"{name}: no such source; there are {known}"
            )


def _check_sources(directory: Path, checked: Checked) -> None:
    folders = (path for path in directory.iterdir() if path.is_dir()) if directory.is_dir() else ()
    for folder in sorted(folders):
        checked.files.append(str(folder))
        try:
            load_source(folder)
        except PipelineError as error:
            checked.add(error)


def _fault(line: str) -> Fault:
    """Take a message apart, whose form is `file: key: expectation` or `file: expectation`."""
    file, _, rest = line.partition(": ")
    key, separator, expected = rest.partition(": ")
    if separator and " " not in key:
        return Fault(file, key, expected)
    return Fault(file, "", rest)
