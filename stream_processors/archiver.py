"""The archiver: everything that was on the stream goes to `raw/`, whatever the fan-out says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from pipeline.archive.writer import ArchiveWriter
from pipeline.aws.account import Account
from pipeline.aws.clients import S3
from pipeline.aws.connections import ClientConfig
from pipeline.event.compiled_source import Catalog, load_catalog
from pipeline.event.events import Outcomes
from pipeline.event.parsing import open_record
from pipeline.runtime import metrics
from pipeline.runtime.collector import without_collection
from pipeline.runtime.deadline import Deadline
from pipeline.runtime.environment import ArchiverEnvironment
from pipeline.runtime.event_log import place
from pipeline.stream.accounting import BatchAccount, UnaccountedError
from pipeline.stream.records import read_records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
#: An object of a whole batch takes longer to write than a ledger does.
CLIENT = ClientConfig(read_timeout=10.0)


@dataclass(frozen=True)
class Archiver:
    """Keeps a batch as it came."""

    catalog: Catalog
    archive: ArchiveWriter

    def process(self, records: Sequence[Mapping[str, Any]], deadline: Deadline) -> bool:
        """Write a batch; tell whether all of it was written.

        Raises
        ------
        UnaccountedError
            When not each event that was read is to be written: a bug.
        """
        account, outcomes = BatchAccount(records), Outcomes()
        events = outcomes.open(read_records(records), partial(open_record, catalog=self.catalog))
        # What is wrong with a record is the fan-out's to say; here it only gets no source.
        everything = [*events, *(outcome.event for outcome in outcomes.all)]
        account.check_places(everything)
        return self.archive.write_raw(everything, deadline)


@cache
def archiver() -> Archiver:
    """Make the archiver of this process, on its first invocation."""
    environment = ArchiverEnvironment.read(os.environ)
    bucket = environment.archive_bucket
    return Archiver(
        load_catalog(), ArchiveWriter(S3(Account.read(os.environ), bucket, CLIENT), bucket)
    )


@without_collection
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Archive one batch.

    A batch of which a part could not be written is delivered again in full: its objects get the
    same keys and are overwritten, so that no event is in the archive twice.
    """
    records = event["Records"]
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000)
    try:
        written = archiver().process(records, deadline)
    except UnaccountedError:
        metrics.emit_batch("archiver", settled=False)
        raise  # the mapping tries again, and bisects until the event at fault is alone
    metrics.emit_batch("archiver", settled=written)
    logger.info(
        "archived" if written else "not archived",
        extra={"request_id": context.aws_request_id, **place(records)},
    )
    if written or not records:
        return {"batchItemFailures": []}
    first = min((record["kinesis"]["sequenceNumber"] for record in records), key=int)
    return {"batchItemFailures": [{"itemIdentifier": first}]}
