"""Loads the settings of the delivery pipeline, and with them those of every stage."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from pipeline.errors import PipelineError
from settings.delivery_pipeline import Delivery
from settings.deployment import load_deployment

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from settings.delivery_pipeline import DeliveryStage
    from settings.deployment import Deployment

FILE = "delivery.yaml"

_EXPECTED = {
    "model_type": "expected a mapping",
    "missing": "this key is required",
    "extra_forbidden": "unknown key",
    "string_type": "expected text; put it in quotes",
    "union_tag_not_found": "expected a mapping with a 'mode' (source) or 'provider' (repository)",
}


class DeliverySettingsError(PipelineError):
    """The settings of the delivery pipeline are wrong: one line a fault, with file and key."""


@dataclass(frozen=True)
class PlannedStack:
    """The settings of one stack of a stage, with the region that it is deployed to.

    Parameters
    ----------
    deployment : Deployment
        The settings.
    private_sources : str
        Its directory of private sources, from the configuration folder.
    """

    deployment: Deployment
    private_sources: str

    def sources_in(self, folder: str) -> str:
        """Give its directory of private sources, from where the configuration folder is."""
        return posixpath.normpath(posixpath.join(folder, self.private_sources))


@dataclass(frozen=True)
class StagePlan:
    """A stage, and the stacks that it deploys."""

    stage: DeliveryStage
    stacks: tuple[PlannedStack, ...]


def load_delivery(path: Path) -> Delivery:
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
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DeliverySettingsError(
            f"{path}: there is no such file; begin with a copy of delivery-example.yaml"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise DeliverySettingsError(f"{path}: not readable as YAML: {reason}") from None
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise DeliverySettingsError(f"{path}: expected a mapping with 'account', 'source', …")
    try:
        return Delivery.model_validate(document)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        lines = [f"{path}: {_fault(fault, document)}" for fault in faults]
        raise DeliverySettingsError("\n".join(lines)) from None


def plan_stages(delivery: Delivery, path: Path) -> tuple[StagePlan, ...]:
    """Load the settings of every stage that the pipeline deploys.

    Parameters
    ----------
    delivery : Delivery
        The pipeline's settings.
    path : Path
        The file that they were read from; the stages' files are beside it.

    Raises
    ------
    PipelineError
        When a stage's settings are wrong, or do not fit the pipeline's.
    """
    plans = []
    for number, stage in enumerate(delivery.stages):
        where = f"{path}: stages.{number}"
        deployments = [
            _placed(load_deployment(path.parent / name), stage, delivery, f"{where}.region")
            for name in stage.files
        ]
        names = [deployment.stack_name for deployment in deployments]
        if len(set(names)) < len(names):
            raise DeliverySettingsError(
                f"{where}.settings: two files give the stack {max(names, key=names.count)}; "
                "expected a 'service' or 'project' of its own in each"
            )
        stacks = (PlannedStack(one, _from(path.parent, one)) for one in deployments)
        plans.append(StagePlan(stage, tuple(stacks)))
    return tuple(plans)


def _from(folder: Path, deployment: Deployment) -> str:
    relative = os.path.relpath(deployment.source_directory, folder)
    return PurePath(relative).as_posix()


def _placed(
    deployment: Deployment, stage: DeliveryStage, delivery: Delivery, key: str
) -> Deployment:
    if stage.region and deployment.region and stage.region != deployment.region:
        raise DeliverySettingsError(
            f"{key}: {stage.region}, but the stage's own file says {deployment.region}; expected "
            "the same, or one of the two left out"
        )
    region = stage.region or deployment.region or delivery.region
    return deployment.model_copy(update={"region": region})


def _fault(fault: ErrorDetails, document: dict[str, Any]) -> str:
    key = ".".join(_written(fault["loc"], document))
    message = _EXPECTED.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
    if fault["type"] in {"missing", "extra_forbidden"} or isinstance(fault["input"], dict | list):
        return f"{key}: {message}" if key else message
    return f"{key}: {message}, not {fault['input']!r}"


def _written(location: tuple[int | str, ...], document: dict[str, Any]) -> list[str]:
    """Leave out what Pydantic adds: the tag of a union is no key of the file."""
    keys: list[str] = []
    node: Any = document
    for part in location:
        tag = isinstance(node, dict) and part not in node and part in _tags(node)
        if not tag:
            keys.append(str(part))
            node = _child(node, part)
    return keys


def _tags(node: dict[str, Any]) -> set[Any]:
    return {value for name in ("mode", "provider") if isinstance(value := node.get(name), str)}


def _child(node: Any, part: int | str) -> Any:
    if isinstance(node, dict):
        return node.get(part)
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return node[part]
    return None
