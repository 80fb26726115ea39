"""The poller: called on a schedule, once for each feed, it fetches what is new."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from pipeline.archive.writer import ArchiveWriter
from pipeline.event.compiled_source import load_catalog
from pipeline.polling.checkpoints import Checkpoints
from pipeline.polling.errors import PollError
from pipeline.polling.poller import RESERVE_SECONDS, Poller, Services
from pipeline.polling.targets import read_targets
from pipeline.runtime import metrics
from pipeline.runtime.deadline import Deadline
from pipeline.runtime.environment import PollerEnvironment
from pipeline.runtime.secret_store import SecretStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
CLIENT = Config(
    connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 5}
)


@cache
def poller() -> Poller:
    """Make the poller of this process, on its first invocation."""
    environment = PollerEnvironment.read(os.environ)
    session = boto3.Session()
    ssm, s3 = session.client("ssm", config=CLIENT), session.client("s3", config=CLIENT)
    dynamodb = session.client("dynamodb", config=CLIENT)
    services = Services(
        catalog=load_catalog(),
        targets=read_targets(environment.targets),
        secrets=SecretStore(ssm, environment.project, environment.stage),
        checkpoints=Checkpoints(dynamodb, environment.checkpoint_table, time.time),
        kinesis=session.client("kinesis", config=CLIENT),
        stream=environment.stream,
        largest_record=environment.largest_record,
        archive=ArchiveWriter(s3, environment.archive_bucket),
        clock=time.time,
    )
    return Poller(services)


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Poll one feed; return what was done.

    Raises
    ------
    PipelineError
        When the poll failed: Lambda then counts an error. What was written down stays, and the
        next poll goes on from there.
    """
    source, feed = event.get("source"), event.get("feed")
    if not isinstance(source, str) or not isinstance(feed, str):
        raise PollError(
            'the event must be {"source": "…", "feed": "…"}; the schedule\'s rule has it'
        )
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000, RESERVE_SECONDS)
    report = poller().poll(source, feed, deadline)
    metrics.emit_poll(source, feed, report.counts, report.lag_seconds)
    log = logger.error if report.error else logger.warning if report.note else logger.info
    log("poll", extra={"poll": report.summary})
    if report.error:
        raise report.error
    return report.summary
