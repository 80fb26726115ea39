"""What a test is sent to: a stack on AWS, or the pipeline that runs on this machine."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local import emulator, endpoints
from pipeline.errors import PipelineError
from settings.source.loader import load_sources
from settings.stack_outputs import StackOutput
from toolbox.sessions import aws_session

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from mypy_boto3_ssm import SSMClient

    from local.clients import Clients
    from settings.source.loader import LoadedSource

_CLIENT = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5}
)


class NoTargetError(PipelineError):
    """The pipeline that is to be tested cannot be found, or lacks something."""


@dataclass(frozen=True)
class TargetUnderTest:
    """A running pipeline.

    Parameters
    ----------
    api : str
        Base URL of its front door.
    sources : Mapping[str, LoadedSource]
        Its sources that take requests, by name.
    secrets : Mapping[str, str]
        The current secret of each of them.
    archive_bucket, dedupe_table : str
        Where it says what became of an event.
    """

    name: str
    api: str
    sources: Mapping[str, LoadedSource]
    secrets: Mapping[str, str]
    archive_bucket: str
    dedupe_table: str
    client: Clients


def add_options(parser: argparse.ArgumentParser, default: Path) -> None:
    """Add the options that name a target.

    Parameters
    ----------
    default : Path
        The directory of private sources where none is named.
    """
    where = parser.add_argument_group("what is tested")
    where.add_argument("--state", default=".local", help="state directory of a local pipeline")
    where.add_argument("--stack", default="", help="a deployed stack, in the place of that")
    where.add_argument("--aws-region", default="", help="the stack's region")
    where.add_argument("--role-arn", default="", help="a role to take on first")
    where.add_argument(
        "--private-sources", default=str(default), help="directory of private sources"
    )


def target_of(options: argparse.Namespace) -> TargetUnderTest:
    """Find what the options of `add_options` name; raises as `find_target` does."""
    return find_target(
        state=Path(options.state),
        stack=options.stack,
        region=options.aws_region,
        role_arn=options.role_arn,
        private_sources=Path(options.private_sources),
    )


def find_target(
    *, state: Path, stack: str, region: str, role_arn: str, private_sources: Path
) -> TargetUnderTest:
    """Find what the options name.

    Parameters
    ----------
    state : Path
        The state directory of a local pipeline, for when there is no stack.
    region : str
        Its region, or nothing for that of the environment or the profile.
    private_sources : Path
        Where the sources are that the catalogue does not have.

    Raises
    ------
    PipelineError
        When it is not there, or a secret is missing.
    """
    if stack:
        return _deployed(stack, _session(region, role_arn), private_sources)
    return _local(state, private_sources)


def _local(state: Path, private_sources: Path) -> TargetUnderTest:
    where = endpoints.read(state)
    sources = _routed(list(where.queues), private_sources)
    return TargetUnderTest(
        name=f"the local pipeline in {state}",
        api=where.api,
        sources=sources,
        secrets={
            name: _first(next(iter(where.parameters.get(name, {}).values()), "-"))
            for name in sources
        },
        archive_bucket=where.archive_bucket,
        dedupe_table=where.dedupe_table,
        client=emulator.clients(
            endpoint_url=where.aws_endpoint_url, region=where.region, credentials=where.credentials
        ),
    )


def _deployed(stack: str, session: boto3.Session, private_sources: Path) -> TargetUnderTest:
    def make(service: Any) -> Any:
        return session.client(service, config=_CLIENT)

    client: Clients = make
    try:
        (found,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except (BotoCoreError, ClientError, ValueError) as error:
        raise NoTargetError(f"{stack}: cannot be described: {error}") from None
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    try:
        described = json.loads(outputs[StackOutput.SOURCES])
        sources = as_deployed(_routed(list(described), private_sources), described)
        parameters = {name: str(described[name].get("parameter", "")) for name in sources}
        ssm = client("ssm")
        return TargetUnderTest(
            name=f"stack {stack}",
            api=outputs[StackOutput.API_URL].rstrip("/"),
            sources=sources,
            secrets={
                name: _secret(ssm, parameters[name]) if parameters[name] else "-"
                for name in sources
            },
            archive_bucket=outputs[StackOutput.ARCHIVE_BUCKET_NAME],
            dedupe_table=outputs[StackOutput.DEDUPE_TABLE_NAME],
            client=client,
        )
    except KeyError as error:
        raise NoTargetError(
            f"{stack}: no output {error.args[0]}; deploy this version of it"
        ) from None


def _session(region: str, role_arn: str) -> boto3.Session:
    session = aws_session(region)
    if not role_arn:
        return session
    try:
        answer = session.client("sts", config=_CLIENT).assume_role(
            RoleArn=role_arn, RoleSessionName="mozdef-ef-test"
        )
    except (BotoCoreError, ClientError) as error:
        raise NoTargetError(f"{role_arn}: cannot be taken on: {error}") from None
    keys = answer["Credentials"]
    return boto3.Session(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        region_name=session.region_name,
    )


def _routed(names: list[str], private_sources: Path) -> dict[str, LoadedSource]:
    loaded = load_sources(sorted(names), private_sources)
    return {name: one for name, one in loaded.items() if one.settings.ingest != "poll"}


def as_deployed(
    sources: Mapping[str, LoadedSource], described: Mapping[str, Mapping[str, Any]]
) -> dict[str, LoadedSource]:
    """Have each source come in as the stack takes it: behind an HTTP API, all by the receiver."""
    return {
        name: replace(source, settings=source.settings.model_copy(update={"ingest": way}))
        for name, source in sources.items()
        for way in [described[name].get("ingest", source.settings.ingest)]
    }


def _secret(ssm: SSMClient, parameter: str) -> str:
    try:
        answer = ssm.get_parameter(Name=parameter, WithDecryption=True)
    except (BotoCoreError, ClientError) as error:
        kind = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
        raise NoTargetError(
            f"{parameter}: cannot be read ({kind}); write the source's secret into it first"
        ) from None
    return _first(str(answer["Parameter"]["Value"]))


def _first(value: str) -> str:
    return value.splitlines()[0].strip() if value.strip() else ""
