"""The replay's worker: puts the events of some archived objects back on the stream."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from pipeline.aws.account import Account
from pipeline.aws.clients import TargetKinesis
from pipeline.aws.connections import ClientConfig
from pipeline.aws.s3_reading import ReadableS3
from pipeline.event.compiled_source import load_catalog
from pipeline.replay.worker import Batch, ReplayWorker
from pipeline.runtime.environment import SettingsError, read_largest_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
CLIENT = ClientConfig(read_timeout=30.0, attempts=5, patience=10.0)


@dataclass(frozen=True)
class ReplayWorkerEnvironment:
    """What the worker is told by its deployment.

    Parameters
    ----------
    largest_record : int
        Bytes.
    """

    archive_bucket: str
    stream: str
    largest_record: int

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> ReplayWorkerEnvironment:
        """Read it.

        Raises
        ------
        SettingsError
            When a variable is missing, or MAX_RECORD_KIB no number.
        """
        for name in ("ARCHIVE_BUCKET", "STREAM_NAME"):
            if not environ.get(name):
                raise SettingsError(f"environment variable {name} is missing; the stack sets it")
        largest = read_largest_record(environ)
        return cls(environ["ARCHIVE_BUCKET"], environ["STREAM_NAME"], largest)


@cache
def worker() -> ReplayWorker:
    """Make the worker of this process, on its first invocation."""
    environment = ReplayWorkerEnvironment.read(os.environ)
    account, bucket = Account.read(os.environ), environment.archive_bucket
    return ReplayWorker(
        ReadableS3(account, bucket, CLIENT),
        TargetKinesis(account, CLIENT),
        bucket,
        environment.stream,
        load_catalog(),
        largest_record=environment.largest_record,
    )


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Replay one batch of objects of a distributed job; return its counts.

    Raises
    ------
    PipelineError
        When S3 or the stream is out of reach, or the time does not suffice: the workflow must
        not take the batch for done. What was sent is sent again then, and is a duplicate.
    """
    batch = Batch.read(event)
    result = worker().replay(batch, lambda: context.get_remaining_time_in_millis() / 1000)
    logger.info("replayed", extra={"job": batch.job, "counts": result["counts"]})
    return result
