"""The reconciler: called each hour, it compares what the stream's two consumers account for."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.aws.account import Account
from pipeline.aws.connections import ClientConfig
from pipeline.aws.s3_reading import ReadableS3
from pipeline.reconciliation.comparison import StreamReader
from pipeline.reconciliation.reconciler import Reconciler, due_hour
from pipeline.runtime import metrics
from pipeline.runtime.deadline import Deadline
from pipeline.runtime.environment import ReconcilerEnvironment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
CLIENT = ClientConfig(read_timeout=10.0, attempts=4, patience=10.0)


@cache
def reconciler() -> Reconciler:
    """Make the reconciler of this process, on its first invocation."""
    environment = ReconcilerEnvironment.read(os.environ)
    bucket = environment.archive_bucket
    s3 = ReadableS3(Account.read(os.environ), bucket, CLIENT)
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
