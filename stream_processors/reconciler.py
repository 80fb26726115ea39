"""The reconciler: called each hour, it compares what the stream's two consumers account for."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.reconciliation.comparison import StreamReader
from pipeline.reconciliation.reconciler import Reconciler, due_hour
from pipeline.runtime import metrics
from pipeline.runtime.deadline import Deadline
from pipeline.runtime.environment import ReconcilerEnvironment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
CLIENT = Config(
    connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4}
)


@cache
def reconciler() -> Reconciler:
    """Make the reconciler of this process, on its first invocation."""
    environment = ReconcilerEnvironment.read(os.environ)
    s3, bucket = boto3.Session().client("s3", config=CLIENT), environment.archive_bucket
    return Reconciler(
        ArchiveListing(s3, bucket),
        Objects(s3, bucket),
        {
            environment.fan_out_function: StreamReader.FAN_OUT,
            environment.archiver_function: StreamReader.ARCHIVER,
        },
    )


def handler(_event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Compare the last hour that is due; return what was found.

    Raises
    ------
    PipelineError
        When the archive is out of reach. Lambda counts an error and tries again.
    """
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000)
    report = reconciler().reconcile(due_hour(time.time()), deadline)
    metrics.emit_reconciliation(
        report.compared,
        report.unmatched,
        shards_not_compared=report.not_compared.count,
        unreadable=report.unreadable.count,
    )
    if not report.matches:
        logger.error("accounts do not match", extra=report.summary)
    elif not report.complete:
        logger.error("accounts were not compared", extra=report.summary)
    else:
        logger.info("accounts match", extra=report.summary)
    return report.summary
