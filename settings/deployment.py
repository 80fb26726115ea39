"""The settings of one stage, `config/<stage>.yaml` (build and command line only)."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from settings.deployment_alarms import AlarmSettings
from settings.deployment_polling import PollerSettings
from settings.deployment_protection import (
    AccessLog,
    AtTheDoor,
    Domain,
    Door,
    Encryption,
    LogDays,
    ReceiverSettings,
    ThrottleSettings,
)
from settings.deployment_table import TableSettings
from settings.faults import Fault, WrongSettingsError, refuse
from settings.names import ambiguous, reserved
from settings.reading import checked, read_mapping
from settings.source.base import Model, QueueName, SourceName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAXIMUM_RECORD_AGE_SECONDS = 604_800
"""Lambda API reference, CreateEventSourceMapping: the largest MaximumRecordAgeInSeconds."""

COLD_STORAGE_DAYS = 90
"""Amazon S3 User Guide, storage classes: what Glacier Instant Retrieval bills at the least."""

BatchSize = Annotated[int, Field(ge=1, le=10_000)]
WindowSeconds = Annotated[int, Field(ge=0, le=300)]
MemoryMb = Annotated[int, Field(ge=128, le=10_240)]
TimeoutSeconds = Annotated[int, Field(ge=5, le=900)]
RetryAttempts = Annotated[int, Field(ge=0, le=10_000)]
# A ticket lives for the 14 days that SQS keeps a message; its object must outlive it.
TicketDays = Annotated[int, Field(ge=14, le=36_500)]
Days = Annotated[int, Field(ge=1, le=36_500)]

ON_DEMAND_SHARDS = 4
"""Amazon Kinesis Data Streams Developer Guide: what a stream on demand begins with."""

_PART = r"^[A-Za-z][A-Za-z0-9-]{0,19}$"


class DeploymentError(WrongSettingsError):
    """The settings of a stage are wrong."""


class StreamSettings(Model):
    """The Kinesis data stream."""

    mode: Literal["on_demand", "provisioned"] = "on_demand"
    shards: int | None = Field(default=None, ge=1, le=10_000)
    retention_hours: int = Field(default=168, ge=24, le=8_760)
    # Kinesis allows 10 MiB, but a record above 4 MiB does not fit Lambda's 6 MB request once it is
    # base64: it could be put and never be processed.
    max_record_kib: int = Field(default=1_024, ge=1_024, le=4_096)

    @model_validator(mode="after")
    def _shards_when_provisioned(self) -> StreamSettings:
        if (self.mode == "provisioned") != (self.shards is not None):
            raise ValueError("'shards' is set if and only if 'mode' is provisioned")
        return self

    @property
    def maximum_record_age_seconds(self) -> int:
        """How old a record may be before the mapping gives it up to the archive, in seconds.

        It lies below the retention, because what fails is written with its payload, which Lambda
        must still be able to read from the stream. The last seventh of the retention (a day of
        seven) is left for that.
        """
        return min(self.retention_hours * 3_600 * 6 // 7, MAXIMUM_RECORD_AGE_SECONDS)


class ConsumerSettings(Model):
    """A function that reads the stream, and its event source mapping."""

    batch_size: BatchSize
    batching_window_seconds: WindowSeconds
    memory_mb: MemoryMb = 1_024
    timeout_seconds: TimeoutSeconds = 60
    retry_attempts: RetryAttempts
    reserved_concurrency: int | None = Field(default=None, ge=1, le=10_000)


class FanOutSettings(ConsumerSettings):
    """The fan-out: small batches, because events are waited for."""

    batch_size: BatchSize = 500
    batching_window_seconds: WindowSeconds = 1
    parallelization_factor: int = Field(default=1, ge=1, le=10)
    enhanced_fan_out: bool = Field(
        default=False, description="records are pushed to it, with read throughput of its own"
    )
    retry_attempts: RetryAttempts = 10
    former_keys_until: dt.date | None = Field(
        default=None,
        description="the day (UTC) from which the table remembers nothing that an older version "
        "wrote: nine days after the deployment that brings the present keys. Until then both the "
        "present and the former keys are looked up",
    )


class ArchiverSettings(ConsumerSettings):
    """The archiver: large batches, because each becomes objects, and many small ones cost more."""

    batch_size: BatchSize = 10_000
    batching_window_seconds: WindowSeconds = 60
    retry_attempts: RetryAttempts = 60


class ArchiveSettings(Model):
    """How long the archive keeps what, in days."""

    raw_days: TicketDays = 400
    cold_after_days: Days | None = 90
    rejected_days: TicketDays = 400
    quarantine_days: Days = 30
    failed_days: TicketDays = 400
    noncurrent_days: Days = 30
    query_results_days: Days = 7
    former_sources: tuple[SourceName, ...] = ()

    @model_validator(mode="after")
    def _cold_storage_pays(self) -> ArchiveSettings:
        cold = self.cold_after_days
        if cold is not None and self.raw_days < cold + COLD_STORAGE_DAYS:
            raise ValueError(
                f"'raw_days' is {COLD_STORAGE_DAYS} days or more beyond 'cold_after_days', "
                "because cold storage bills them in any case; or 'cold_after_days' is null"
            )
        return self


class StageQueue(Model):
    """A queue that MozDef reads, where it is not to be as all others are.

    SQS takes no name that is in use, and a queue that left the stack stays where it is, with its
    messages. So what may be wanted again is kept in the stack.
    """

    full_name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,72}$",
        description="its name in SQS; default: <stack>-<queue>",
    )
    # SQS keeps a message for 14 days at most (Amazon SQS Developer Guide, quotas).
    retention_days: int = Field(default=7, ge=1, le=14)
    # Amazon SQS API reference, SetQueueAttributes, ReceiveMessageWaitTimeSeconds. MozDef's worker
    # names no time of its own when it receives, so the queue's counts.
    receive_wait_seconds: int = Field(
        default=20, ge=0, le=20, description="how long a receive waits for a message; 0: not at all"
    )
    keep: bool = Field(
        default=False, description="it stays in the stack while no source has it (any more)"
    )


class Deployment(Model):
    """One stage of one service."""

    stage: str = Field(pattern=_PART)
    project: str = Field(default="MozDef-EF", pattern=_PART)
    service: str = Field(pattern=_PART)
    stack: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]{0,61}$",
        description="the name of a stack that was deployed before; "
        "default: <project>-<service>-<stage>",
    )
    region: str | None = Field(default=None, pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    sources: tuple[SourceName, ...]
    source_directory: Path = Path("sources")
    stream: StreamSettings = StreamSettings()
    fan_out: FanOutSettings = FanOutSettings()
    archiver: ArchiverSettings = ArchiverSettings()
    table: TableSettings = TableSettings()
    archive: ArchiveSettings = ArchiveSettings()
    throttle: ThrottleSettings = ThrottleSettings()
    authorizer: AtTheDoor = AtTheDoor()
    receiver: ReceiverSettings = ReceiverSettings()
    door: Door = "rest_api"
    encryption: Encryption = "customer_managed"
    log_retention_days: LogDays = 30
    access_log: AccessLog = "short"
    web_acl: bool | None = Field(
        default=None,
        description="unset: where anyone can put unverified requests on the stream",
    )
    domain: Domain | None = None
    pollers: dict[SourceName, PollerSettings] = Field(default_factory=dict)
    queues: dict[QueueName, StageQueue] = Field(
        default_factory=dict, description="queue, by the name that its sources give it"
    )
    alarms: AlarmSettings = AlarmSettings()

    @field_validator("sources")
    @classmethod
    def _sources_once(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if not sources:
            raise ValueError("list one source or more")
        twice = sorted({name for name in sources if sources.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)}: listed twice")
        return sources

    @model_validator(mode="after")
    def _named_apart(self) -> Deployment:
        refuse(reserved(self.project))
        if self.stack is None:
            refuse(ambiguous(self.project, self.service, self.stage))
        return self

    @model_validator(mode="after")
    def _of_its_sources(self) -> Deployment:
        named: dict[str, Iterable[str]] = {
            "pollers": self.pollers,
            "alarms.silence_hours": self.alarms.silence_hours,
            "throttle.by_source": self.throttle.by_source,
        }
        refuse(
            (f"{key}.{name}", "list it under 'sources', too")
            for key, names in named.items()
            for name in sorted(set(names) - set(self.sources))
        )
        return self

    @model_validator(mode="after")
    def _web_acl_before_a_rest_api(self) -> Deployment:
        if self.web_acl and self.door == "http_api":
            raise ValueError("'web_acl' stands before a REST API; AWS WAF takes no HTTP API")
        return self

    @property
    def stack_name(self) -> str:
        """The name of the CloudFormation stack, and the prefix of its queues' names."""
        return self.stack or f"{self.project}-{self.service}-{self.stage}"

    @property
    def project_tag(self) -> str:
        """The value of the tag `Project`."""
        return f"{self.project}-{self.stage}"

    def parameter(self, source: str, kind: str) -> str:
        """Return the name of the SSM parameter that holds a source's secret.

        Parameters
        ----------
        kind : str
            `auth_token`, `signing_secret` or `api_credential`.
        """
        return f"/{self.project}/{source}/{self.stage}/{kind}"


def load_deployment(path: Path) -> Deployment:
    """Read the settings of one stage.

    Parameters
    ----------
    path : Path
        `<directory>/<stage>.yaml`; the stage is named by the file.

    Returns
    -------
    Deployment
        The settings, with `source_directory` made relative to the file's own directory.

    Raises
    ------
    DeploymentError
        When the file is missing, is no YAML, or says something that it should not.
    """
    document = read_mapping(
        path, "at least 'service' and 'sources'", DeploymentError, _absent(path)
    )
    faults = list(_stage_faults(path, document))
    stage = {"stage": "stage" if faults else path.stem}
    deployment = checked(Deployment, document | stage, path, DeploymentError, faults)
    directory = path.parent / deployment.source_directory
    return deployment.model_copy(update={"source_directory": directory})


def _absent(path: Path) -> str:
    stages = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
    return f"there is no such file; stages in {path.parent}: {stages or 'none'}"


def _stage_faults(path: Path, document: dict[str, Any]) -> Iterator[Fault]:
    if "stage" in document:
        yield Fault(str(path), "stage", "the stage is the file's name; remove this key")
    if re.fullmatch(_PART, path.stem) is None:
        expected = f"the file's name is the stage; expected a name that matches {_PART}"
        yield Fault(str(path), "", expected)
