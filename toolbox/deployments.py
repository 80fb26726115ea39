"""Which deployment a command works on: the local pipeline that runs, or a stack on AWS."""

from __future__ import annotations

import getpass
import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local import endpoints
from pipeline.errors import PipelineError
from toolbox.project.finding import at_home
from toolbox.project.next_steps import placed
from toolbox.sessions import aws_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.aws.seams import ReadableBucket
    from toolbox.seams import ServiceClients

State = Annotated[
    Path,
    typer.Option(callback=at_home, help="State directory of the running local pipeline."),
]
Stack = Annotated[
    str | None, typer.Option(help="A deployed stack, in the place of the local pipeline.")
]
DEFAULT_STATE = Path(".local")
# boto3, the emulator and the settings' models take a second to import: whoever only asks for help
# needs none of them.


class RunningDeploymentError(PipelineError):
    """A deployment cannot be found, or lacks something."""


@dataclass(frozen=True)
class RunningDeployment:
    """The names of one deployment's parts, and clients to reach them.

    Parameters
    ----------
    local : bool
        Whether it runs on this machine.
    stream, archive_bucket, dedupe_table, dead_letter_queue : str
        Its parts; the queue as a URL.
    replay_state_machine : str
        The ARN of the replay's workflow; empty where there is none.
    parameters : Mapping[str, str]
        Source to the name of the SSM parameter that holds its secret.
    key_arn : str
        The stack's KMS key; empty where it uses those that AWS manages.
    workgroup, database : str
        Of Athena and Glue, over the archive; empty on this machine.
    logs : Path | None
        The folder of the functions' logs; None on AWS.
    """

    name: str
    local: bool
    stream: str
    archive_bucket: str
    dedupe_table: str
    dead_letter_queue: str
    replay_state_machine: str
    client: ServiceClients
    parameters: Mapping[str, str] = field(default_factory=dict)
    key_arn: str = ""
    workgroup: str = ""
    database: str = ""
    logs: Path | None = None

    def who(self) -> dict[str, str]:
        """Say who works on it: the user of this machine and, on AWS, the caller's identity."""
        try:
            who = {"user": getpass.getuser(), "host": socket.gethostname()}
        except (KeyError, OSError):
            who = {"user": "unknown", "host": socket.gethostname()}
        if not self.local:
            from botocore.exceptions import BotoCoreError, ClientError

            try:
                who["identity"] = str(self.client("sts").get_caller_identity()["Arn"])
            except (BotoCoreError, ClientError):
                who["identity"] = "unknown"
        return who


def find_deployment(state: Path, stack: str | None) -> RunningDeployment:
    """Find the deployment that a command was told to work on.

    Parameters
    ----------
    stack : str | None
        The name of a CloudFormation stack; it goes before the state directory.

    Raises
    ------
    PipelineError
        When it is not there.
    """
    return _deployed(stack) if stack else _local(state)


def running(state: Path) -> endpoints.Endpoints:
    """Return where the local pipeline of a state directory can be reached.

    Raises
    ------
    NotRunningError
        When none runs; it says how to start it, with the options that were given.
    """
    try:
        return endpoints.read(state)
    except endpoints.NotRunningError as error:
        raise placed(error) from None


def local_clients(where: endpoints.Endpoints) -> ServiceClients:
    """Return what makes clients of the local pipeline that runs."""
    from local import emulator

    def client(service: Any) -> Any:
        return emulator.client(
            service,
            endpoint_url=where.aws_endpoint_url,
            region=where.region,
            credentials=where.credentials,
        )

    return client


def local_archive(where: endpoints.Endpoints) -> ReadableBucket:
    """Return what reads the archive of the local pipeline as the functions do, not as boto3 does.

    An object takes it a quarter of the work, so a search reads four times as much in its time.
    """
    from pipeline.aws.account import Account
    from pipeline.aws.s3_reading import ReadableS3

    keys = where.credentials
    account = Account(
        where.region,
        keys.access_key_id,
        keys.secret_access_key,
        endpoint_url=where.aws_endpoint_url,
    )
    return ReadableS3(account, where.archive_bucket)


def _local(state: Path) -> RunningDeployment:
    where = running(state)
    client = local_clients(where)
    return RunningDeployment(
        name=f"the local pipeline in {state}",
        local=True,
        stream=where.stream,
        archive_bucket=where.archive_bucket,
        dedupe_table=where.dedupe_table,
        dead_letter_queue=where.dead_letter_queue,
        replay_state_machine="",
        client=client,
        parameters=where.parameter_names,
        logs=(state if state.is_dir() else state.parent) / "logs",
    )


def _deployed(stack: str) -> RunningDeployment:
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    from settings.stack_outputs import StackOutput

    session = aws_session()
    settings = Config(
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=32,
        retries={"mode": "standard", "total_max_attempts": 5},
    )

    def client(service: Any) -> Any:
        return session.client(service, config=settings)

    try:
        (found,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except (BotoCoreError, ClientError, ValueError) as error:
        raise RunningDeploymentError(
            f"{stack}: cannot be described: {error}; see the stack's name, and the region and "
            "profile (AWS_REGION, AWS_PROFILE)"
        ) from None
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}

    def output(name: StackOutput) -> str:
        if name not in outputs:
            raise RunningDeploymentError(
                f"{stack}: has no output {name}; deploy this version of it"
            )
        return str(outputs[name])

    return RunningDeployment(
        name=f"stack {stack}",
        local=False,
        stream=output(StackOutput.STREAM_NAME),
        archive_bucket=output(StackOutput.ARCHIVE_BUCKET_NAME),
        dedupe_table=output(StackOutput.DEDUPE_TABLE_NAME),
        dead_letter_queue=output(StackOutput.DEAD_LETTER_QUEUE_URL),
        replay_state_machine=outputs.get(StackOutput.REPLAY_STATE_MACHINE_ARN, ""),
        client=client,
        parameters=_parameters(stack, outputs.get(StackOutput.SOURCES, "{}")),
        key_arn=outputs.get(StackOutput.KEY_ARN, ""),
        workgroup=outputs.get(StackOutput.ATHENA_WORKGROUP, ""),
        database=outputs.get(StackOutput.GLUE_DATABASE, ""),
    )


def _parameters(stack: str, described: str) -> dict[str, str]:
    try:
        sources = json.loads(described).items()
        return {name: str(one["parameter"]) for name, one in sources if "parameter" in one}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunningDeploymentError(f"{stack}: output Sources cannot be read: {error!r}") from None
