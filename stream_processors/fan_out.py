"""The fan-out processor: from a batch of Kinesis records to the queues that MozDef reads."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from pipeline.archive.writer import ArchiveWriter
from pipeline.aws.account import Account
from pipeline.aws.clients import S3, DynamoDb, Sqs, Ssm
from pipeline.event.compiled_source import Catalog, load_catalog
from pipeline.event.events import Event, Outcome, Outcomes, Record, rejected, unsettled
from pipeline.event.mozdef_event import write_message
from pipeline.event.outcomes import OutcomeKind, Reason
from pipeline.event.parsing import open_record
from pipeline.event.signatures import verify
from pipeline.event.steps import examine
from pipeline.fan_out.copies import sort_out
from pipeline.fan_out.delivery import SqsDelivery
from pipeline.fan_out.duplicates import DeduplicationTable
from pipeline.fan_out.former_keys import former_key
from pipeline.fan_out.settlement import Settlement, remembered_outcomes, share_fate
from pipeline.fan_out.trial import Trial
from pipeline.polling.fetched_keys import FetchedKeys
from pipeline.runtime import metrics
from pipeline.runtime.collector import without_collection
from pipeline.runtime.deadline import Deadline
from pipeline.runtime.environment import FanOutEnvironment
from pipeline.runtime.event_log import log_events, place
from pipeline.runtime.secret_store import SecretStore
from pipeline.stream.accounting import BatchAccount, UnaccountedError
from pipeline.stream.records import read_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
#: How many events that were sent but not written into the table are kept in mind.
MOST_UNWRITTEN = 10_000


@dataclass
class FanOut:
    """The way of an event, with the services that it needs."""

    catalog: Catalog
    secrets: SecretStore
    table: DeduplicationTable
    delivery: SqsDelivery
    archive: ArchiveWriter
    trial: Trial | None = None
    #: Until when (epoch seconds) the table may hold keys of an older version.
    former_keys_until: float = 0.0
    #: Place and id of what was sent and not written into the table. A retry must not send it again.
    sent: dict[tuple[str, str], None] = field(default_factory=dict)

    def process(self, records: Sequence[Mapping[str, Any]], deadline: Deadline) -> Settlement:
        """Take a batch the whole way; never raises for what a record holds.

        Raises
        ------
        UnaccountedError
            When not each event that was read has its outcome: a bug.
        """
        account, outcomes = BatchAccount(records), Outcomes()
        # Envelope, signature, body, the events in it, their identity, schema.
        events = examine(
            self._tried(records, outcomes, deadline), outcomes, self.catalog, self.secrets.of
        )
        found = sort_out(events, self.table, deadline, self._former_key())
        outcomes.add(found.outcomes)
        events = outcomes.each(found.new, write_message)
        taken, refused = self.delivery.deliver(self._unsent(events), deadline)
        outcomes.add(refused)
        sent = [*found.sent, *self._already_sent(events), *taken]
        outcomes.add(self._remember(sent, deadline))
        outcomes.add(share_fate(found.copies, outcomes.all))
        settlement = Settlement.of(outcomes.all).archived(self.archive, deadline)
        account.check(settlement.outcomes, outcomes.parts, outcomes.chosen)
        recorded = settlement.recorded(self.archive, deadline)
        if recorded is not settlement:
            account.check(recorded.outcomes, outcomes.parts, outcomes.chosen)
        return recorded

    def _tried(
        self, records: Sequence[Mapping[str, Any]], outcomes: Outcomes, deadline: Deadline
    ) -> Iterable[Record]:
        """Read the records; of a late batch, leave out those that a process would die of."""
        if self.trial is None or not self.trial.is_due(records):
            return read_records(records)
        read = list(read_records(records))
        found = self.trial.of(read, deadline)
        deadly = [record for record in read if record.place in found.deadly]
        events = outcomes.open(deadly, partial(open_record, catalog=self.catalog))
        events = outcomes.each(events, partial(verify, secrets_of=self.secrets.of))
        outcomes.add(
            rejected(event, Reason.PROCESSING_ERROR, found.deadly[event.place]) for event in events
        )
        untried = (record for record in read if record.place in found.untried)
        outcomes.add(unsettled(record, "there was no time left to try it") for record in untried)
        left_out = found.deadly.keys() | found.untried
        return [record for record in read if record.place not in left_out]

    def _former_key(self) -> Callable[[Event], str] | None:
        return former_key if self.table.clock() < self.former_keys_until else None

    def _already_sent(self, events: Sequence[Event]) -> list[Event]:
        if not self.sent:
            return []
        return [event for event in events if (event.place, event.id) in self.sent]

    def _unsent(self, events: Sequence[Event]) -> list[Event]:
        if not self.sent:
            return list(events)
        return [event for event in events if (event.place, event.id) not in self.sent]

    def _remember(self, sent: Sequence[Event], deadline: Deadline) -> list[Outcome]:
        unwritten = self.table.remember(sent, deadline)
        outcomes = remembered_outcomes(sent, unwritten)
        if not (unwritten or self.sent):
            return outcomes
        for outcome in outcomes:
            known = (outcome.event.place, outcome.event.id)
            self.sent.pop(known, None)
            if outcome.kind is OutcomeKind.UNSETTLED:
                self.sent[known] = None
        for known in list(self.sent)[:-MOST_UNWRITTEN]:
            del self.sent[known]
        return outcomes


@cache
def fan_out() -> FanOut:
    """Make the processor of this process, on its first invocation."""
    environment = FanOutEnvironment.read(os.environ)
    account, bucket = Account.read(os.environ), environment.archive_bucket
    catalog = load_catalog()
    return FanOut(
        catalog=catalog,
        secrets=SecretStore(
            Ssm(account), environment.project, environment.stage, keys=FetchedKeys()
        ),
        table=DeduplicationTable(DynamoDb(account), environment.dedupe_table),
        delivery=SqsDelivery(Sqs(account), environment.queue_urls),
        archive=ArchiveWriter(S3(account, bucket), bucket),
        trial=Trial(catalog, environment.memory_mb),
        former_keys_until=environment.former_keys_until,
    )


@without_collection
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process one batch; name the first record that must be delivered again, if there is one."""
    records = event["Records"]
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000)
    try:
        settlement = fan_out().process(records, deadline)
    except UnaccountedError:
        metrics.emit_batch("fan-out", settled=False)
        raise  # the mapping tries again, and bisects until the event at fault is alone
    report(settlement, records, context.aws_request_id)
    return settlement.response()


def report(settlement: Settlement, records: Sequence[Mapping[str, Any]], request_id: str) -> None:
    """Count the outcomes, and log what became of the batch: no body, no header, no secret."""
    counts = metrics.count(settlement.settled)
    received = Counter([outcome.event.source_name for outcome in settlement.settled])
    metrics.emit(counts, received)
    metrics.emit_batch("fan-out", settled=settlement.checkpoint is None)
    log_events(logger, settlement.settled)
    logger.info(
        "batch",
        extra={
            "request_id": request_id,
            **place(records),
            "checkpoint": settlement.checkpoint,
            "outcomes": {source: dict(counter) for source, counter in counts.items()},
            "unsettled": settlement.explanations(OutcomeKind.UNSETTLED),
        },
    )
