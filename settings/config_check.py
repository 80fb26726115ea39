"""Checks a whole configuration folder: every stage, the delivery pipeline, every private source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from settings.delivery_stages import FILE, load_delivery, plan_stages
from settings.deployment import load_deployment
from settings.faults import Fault, WrongSettingsError
from settings.names import full_queue_names, overlapping, queue_faults
from settings.source.admission import UNPROVEN
from settings.source.compiler import check_validators
from settings.source.loader import available_sources, load_source, read_source_settings
from settings.spreading import fits, only_polled, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from settings.deployment import Deployment

EXAMPLES = "delivery-*.yaml"
"""Further settings of a delivery pipeline: an example, or a second pipeline's."""

_NO_ROUTE = "API Gateway has no API without a route: add one that senders post to, such as generic"


class ConfigCheckError(PipelineError):
    """There is no configuration to check."""


@dataclass
class Checked:
    """What was checked, what is wrong with it, and where private sources may be.

    Parameters
    ----------
    stages : dict[str, Deployment]
        The settings of stages that could be loaded, by their files.
    warnings : list[Fault]
        What may be meant so, and is to be seen.
    """

    files: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    source_directories: list[Path] = field(default_factory=list)
    stages: dict[str, Deployment] = field(default_factory=dict)
    warnings: list[Fault] = field(default_factory=list)

    def add(self, faults: Iterable[Fault]) -> None:
        """Note faults, each once."""
        self.faults += [fault for fault in faults if fault not in self.faults]


def check_config(config: Path) -> Checked:
    """Load everything in a configuration folder.

    Raises
    ------
    ConfigCheckError
        When there is no such folder, or no settings are in it.
    """
    if not config.is_dir():
        raise ConfigCheckError(f"{config}: there is no such folder")
    checked = Checked()
    deliveries = {path for path in (config / FILE, *config.glob(EXAMPLES)) if path.exists()}
    directories = {config / "sources"}
    for path in sorted(set(config.glob("*.yaml")) - deliveries):
        checked.files.append(str(path))
        _check_stage(path, checked, directories)
    for path in sorted(deliveries):
        checked.files.append(str(path))
        _check_delivery(path, checked, directories, example=path.name != FILE)
    if config / FILE not in deliveries:
        # Where stages are is said in that file; without it they may be beside each other.
        _check_neighbours(checked)
    checked.source_directories = sorted(directories)
    for directory in checked.source_directories:
        _check_sources(directory, checked)
    if not checked.files:
        raise ConfigCheckError(f"{config}: no settings of a stage (<stage>.yaml) in this folder")
    return checked


def _check_stage(path: Path, checked: Checked, directories: set[Path]) -> None:
    try:
        deployment = load_deployment(path)
    except WrongSettingsError as error:
        checked.add(error.faults)
        return
    checked.stages[str(path)] = deployment
    directories.add(deployment.source_directory)
    checked.add(_unknown_sources(path, deployment))
    checked.add(_wrong_queues(path, deployment))
    checked.add(_too_many_sources(path, deployment, checked))


def _check_neighbours(checked: Checked) -> None:
    files = {id(deployment): file for file, deployment in checked.stages.items()}
    checked.add(
        Fault(files[id(deployment)], key, expected)
        for deployment, key, expected in overlapping(list(checked.stages.values()))
    )


def _check_delivery(path: Path, checked: Checked, directories: set[Path], *, example: bool) -> None:
    try:
        delivery = load_delivery(path)
        if example:
            # Its stages are those of a configuration that it is an example for.
            return
        for file in (path.parent / name for stage in delivery.stages for name in stage.files):
            if str(file) not in checked.files:
                checked.files.append(str(file))
                _check_stage(file, checked, directories)
        plan_stages(delivery, path)
    except WrongSettingsError as error:
        checked.add(error.faults)


def _unknown_sources(path: Path, deployment: Deployment) -> Iterator[Fault]:
    found = available_sources(deployment.source_directory)
    for number, name in enumerate(deployment.sources):
        if name not in found:
            known = ", ".join(sorted(found))
            yield Fault(
                str(path), f"sources.{number}", f"{name}: no such source; there are {known}"
            )


def _wrong_queues(path: Path, deployment: Deployment) -> Iterator[Fault]:
    found = available_sources(deployment.source_directory)
    known: set[str] = set()
    for name in deployment.sources:
        try:
            queue = read_source_settings(found[name]).queue
        except (KeyError, WrongSettingsError):
            return  # That is told of the source, whose queues nobody knows.
        known |= {queue.name or name, *queue.by_type.values()}
    kept = {name for name, queue in deployment.queues.items() if queue.keep}
    for name in sorted(deployment.queues.keys() - known - kept):
        expected = f"no source has this queue; there are {', '.join(sorted(known))}"
        yield Fault(str(path), f"queues.{name}", expected)
    names = full_queue_names(deployment.stack_name, sorted(known | kept), deployment.queues)
    yield from (Fault(str(path), key, expected) for key, expected in queue_faults(names))


def _too_many_sources(path: Path, deployment: Deployment, checked: Checked) -> Iterator[Fault]:
    found = available_sources(deployment.source_directory)
    try:
        sources = {name: read_source_settings(found[name]) for name in deployment.sources}
    except (KeyError, WrongSettingsError):
        return  # That is told of the source.
    checked.warnings += [
        Fault(str(path), "sources", f"{name}: {UNPROVEN}")
        for name, source in sources.items()
        if source.proof == "none"
    ]
    if only_polled(sources):
        yield Fault(str(path), "sources", f"all are polled; {_NO_ROUTE}")
        return
    if fits(deployment.stack_name, sources):
        return
    services = spread(deployment.stack_name, sources)
    for names in services:
        if not fits(f"{deployment.stack_name}99", {name: sources[name] for name in names}):
            why = f"{', '.join(names)}: these {len(names)} share queues, and do not fit one stack; "
            why += "give some of them a queue of another name"
            if len(names) == 1:
                why = f"{names[0]}: alone it does not fit one stack; expected fewer feeds or queues"
            yield Fault(str(path), "sources", why)
            return
    without = sum(only_polled({name: sources[name] for name in names}) for names in services)
    plan = "; ".join(
        f"service {deployment.service[:18]}{number if number > 1 else ''}: {', '.join(names)}"
        for number, names in enumerate(services, 1)
    )
    yield Fault(
        str(path),
        "sources",
        f"these {len(sources)} do not fit one stack; give each of {len(services)} services a file "
        f"of its own ({plan})" + (f"; in {without} all are polled; {_NO_ROUTE}" if without else ""),
    )


def _check_sources(directory: Path, checked: Checked) -> None:
    if directory.exists() and not directory.is_dir():
        checked.add([Fault(str(directory), "", "expected a folder of sources", "a file")])
    folders = (path for path in directory.iterdir() if path.is_dir()) if directory.is_dir() else ()
    for folder in sorted(folders):
        checked.files.append(str(folder))
        try:
            check_validators(load_source(folder))
        except WrongSettingsError as error:
            checked.add(error.faults)
