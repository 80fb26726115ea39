"""Loads the settings of the delivery pipeline, and with them those of every stage."""

from __future__ import annotations

import os
import posixpath
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from settings.delivery_pipeline import DeliverySettings
from settings.deployment import load_deployment
from settings.faults import Fault, WrongSettingsError
from settings.names import overlapping
from settings.reading import checked, read_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from settings.delivery_pipeline import DeliveryStage
    from settings.deployment import Deployment

FILE = "delivery.yaml"

_ABSENT = "there is no such file; begin with a copy of delivery-example.yaml"


class DeliverySettingsError(WrongSettingsError):
    """The settings of the delivery pipeline are wrong."""


@dataclass(frozen=True)
class PlannedStack:
    """The settings of one stack of a stage, with the region that it is deployed to.

    Parameters
    ----------
    private_sources : str
        Its directory of private sources, from the configuration folder.
    """

    deployment: Deployment
    private_sources: str

    def sources_in(self, folder: str) -> str:
        """Return its directory of private sources, from where the configuration folder is."""
        return posixpath.normpath(posixpath.join(folder, self.private_sources))


@dataclass(frozen=True)
class StagePlan:
    """A stage, and the stacks that it deploys."""

    stage: DeliveryStage
    stacks: tuple[PlannedStack, ...]


def load_delivery(path: Path) -> DeliverySettings:
    """Read the settings of the delivery pipeline.

    Parameters
    ----------
    path : Path
        `config/delivery.yaml`.

    Raises
    ------
    DeliverySettingsError
        When the file is missing, is no YAML, or says something that it should not.
    """
    document = read_mapping(path, "'account', 'source', …", DeliverySettingsError, _ABSENT)
    return checked(DeliverySettings, document, path, DeliverySettingsError)


def plan_stages(delivery: DeliverySettings, path: Path) -> tuple[StagePlan, ...]:
    """Load the settings of every stage that the pipeline deploys.

    Parameters
    ----------
    path : Path
        The file that they were read from; the stages' files are beside it.

    Raises
    ------
    WrongSettingsError
        When stages' settings are wrong, or do not fit the pipeline's: with all that is wrong.
    """
    plans, faults = [], list[Fault]()
    places: defaultdict[tuple[str, str], dict[str, Deployment]] = defaultdict(dict)
    for number, stage in enumerate(delivery.stages):
        deployments = []
        for name in stage.files:
            try:
                deployments.append(load_deployment(path.parent / name))
            except WrongSettingsError as error:
                faults += error.faults
                continue
            faults += _other_project(path.parent / name, deployments[-1], delivery)
            region = stage.region or deployments[-1].region or delivery.region
            place = (delivery.account_of(stage), region)
            places[place][str(path.parent / name)] = deployments[-1]
        faults += _misfits(deployments, stage, path, f"stages.{number}")
        plans.append(StagePlan(stage, tuple(_stacks(deployments, stage, delivery, path.parent))))
    for neighbours in places.values():
        faults += _meeting(neighbours)
    if faults:
        raise DeliverySettingsError(*dict.fromkeys(faults))
    return tuple(plans)


def _misfits(
    deployments: Sequence[Deployment], stage: DeliveryStage, path: Path, key: str
) -> Iterator[Fault]:
    for deployment in deployments:
        if stage.region and deployment.region and stage.region != deployment.region:
            expected = (
                f"{stage.region}, but the stage's own file says {deployment.region}; expected the "
                "same, or one of the two left out"
            )
            yield Fault(str(path), f"{key}.region", expected)
    names = [deployment.stack_name for deployment in deployments]
    for name in sorted({name for name in names if names.count(name) > 1}):
        expected = f"two files give the stack {name}; expected a 'service' of its own in each"
        yield Fault(str(path), f"{key}.settings", expected)


def _other_project(
    file: Path, deployment: Deployment, delivery: DeliverySettings
) -> Iterator[Fault]:
    """Say that a stage is of another project than the pipeline that deploys it."""
    if deployment.project != delivery.project:
        expected = f"{delivery.project}, as {FILE} beside it says or leaves out"
        yield Fault(str(file), "project", expected, deployment.project)


def _meeting(neighbours: Mapping[str, Deployment]) -> Iterator[Fault]:
    """Say which stacks of one account and region could have a name in common."""
    files = {id(deployment): file for file, deployment in neighbours.items()}
    for deployment, key, expected in overlapping(list(neighbours.values())):
        yield Fault(files[id(deployment)], key, expected)


def _stacks(
    deployments: Sequence[Deployment],
    stage: DeliveryStage,
    delivery: DeliverySettings,
    folder: Path,
) -> Iterator[PlannedStack]:
    for deployment in deployments:
        region = stage.region or deployment.region or delivery.region
        private = PurePath(os.path.relpath(deployment.source_directory, folder)).as_posix()
        yield PlannedStack(deployment.model_copy(update={"region": region}), private)
