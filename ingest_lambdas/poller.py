"""The poller: called on a schedule, once for each feed, it fetches what is new."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from pipeline.archive.writer import ArchiveWriter
from pipeline.aws.account import Account
from pipeline.aws.clients import S3, LockDynamoDb, Ssm, TargetKinesis
from pipeline.aws.connections import ClientConfig
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
CLIENT = ClientConfig(read_timeout=10.0, attempts=5, patience=10.0)


@cache
def poller() -> Poller:
    """Make the poller of this process, on its first invocation."""
    environment = PollerEnvironment.read(os.environ)
    account, bucket = Account.read(os.environ), environment.archive_bucket
    services = Services(
        catalog=load_catalog(),
        targets=read_targets(environment.targets),
        secrets=SecretStore(Ssm(account, CLIENT), environment.project, environment.stage),
        checkpoints=Checkpoints(
            LockDynamoDb(account, CLIENT), environment.checkpoint_table, time.time
        ),
        kinesis=TargetKinesis(account, CLIENT),
        stream=environment.stream,
        largest_record=environment.largest_record,
        archive=ArchiveWriter(S3(account, bucket, CLIENT), bucket),
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
