"""Which deployment a command is about: the local pipeline, or a stack in an AWS account."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import PipelineError
from pipeline.local import emulator, endpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

StateOption = Annotated[
    Path, typer.Option("--state", help="State directory of the running local pipeline.")
]
StackOption = Annotated[
    str | None,
    typer.Option("--stack", help="A stack in your AWS account, in the place of the local one."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_STATE = Path(".local")


class DeploymentNotFoundError(PipelineError):
    """There is no such stack, or it cannot be asked."""


@dataclass(frozen=True)
class Deployed:
    """The names that a command needs, and the clients to use them with."""

    stream: str
    archive_bucket: str
    dedupe_table: str
    dead_letter_queue: str
    fan_out_function: str | None
    replay_state_machine: str | None
    client: Callable[[str], Any]


def find_deployment(state: Path, stack: str | None) -> Deployed:
    """Find the deployment that the options name.

    Parameters
    ----------
    state : Path
        State directory of a local pipeline.
    stack : str | None
        Name of a CloudFormation stack; it wins over the local pipeline.

    Raises
    ------
    DeploymentNotFoundError
        When the stack does not exist or lacks an output.
    NotRunningError
        When no local pipeline runs with that state.
    """
    return _local(state) if stack is None else _stack(stack)


def _local(state: Path) -> Deployed:
    where = endpoints.read(state)
    return Deployed(
        stream=where.stream,
        archive_bucket=where.archive_bucket,
        dedupe_table=where.dedupe_table,
        dead_letter_queue=where.dead_letter_queue,
        fan_out_function=None,
        replay_state_machine=None,
        client=lambda service: emulator.client(
            service, endpoint_url=where.aws_endpoint_url, region=where.region
        ),
    )


def _stack(name: str) -> Deployed:
    session = boto3.Session()
    try:
        (found,) = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise DeploymentNotFoundError(f"stack {name}: {error}") from None
    outputs = {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}
    return Deployed(
        stream=_output(outputs, "StreamName", name),
        archive_bucket=_output(outputs, "ArchiveBucketName", name),
        dedupe_table=_output(outputs, "DedupeTableName", name),
        dead_letter_queue=_output(outputs, "DeadLetterQueueUrl", name),
        fan_out_function=outputs.get("FanOutFunctionName"),
        replay_state_machine=outputs.get("ReplayStateMachineArn"),
        client=lambda service: session.client(service),  # type: ignore[call-overload]  # noqa: PLW0108
    )


def _output(outputs: Mapping[str, str], key: str, stack: str) -> str:
    if key not in outputs:
        raise DeploymentNotFoundError(f"stack {stack}: has no output {key}; is it one of ours?")
    return outputs[key]
