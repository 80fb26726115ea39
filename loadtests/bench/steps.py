"""The fan-out of one batch, step by step: the same functions as in the handler, each timed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from loadtests.bench.measuring import Stopwatch, WorkError
from pipeline.event.events import Outcomes, delivered
from pipeline.event.mozdef_event import write_message
from pipeline.event.outcomes import OutcomeKind
from pipeline.event.parsing import identify, open_record, parse_body
from pipeline.event.signatures import verify
from pipeline.event.splitting import split
from pipeline.event.validation import validate
from pipeline.fan_out.copies import sort_out
from pipeline.fan_out.settlement import Settlement
from pipeline.runtime.collector import without_collection
from pipeline.runtime.deadline import Deadline
from pipeline.stream.records import read_records
from stream_processors import fan_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.event.compiled_source import Catalog
    from pipeline.event.events import Event, Record
    from pipeline.runtime.secret_store import SecretStore

#: `ledger` writes what became of each event into the archive, `report` counts and logs it.
STEPS = (
    "decode",
    "verify",
    "parse",
    "validate",
    "dedupe",
    "transform",
    "deliver",
    "remember",
    "ledger",
    "report",
)


def examine_by_step(
    records: Iterable[Record],
    outcomes: Outcomes,
    catalog: Catalog,
    secrets: SecretStore,
    watch: Stopwatch,
) -> list[Event]:
    """Do what `pipeline.event.steps.examine` does, with a stopwatch; a test compares the two.

    Parameters
    ----------
    outcomes : Outcomes
        Takes the outcome of each event that does not go on.
    watch : Stopwatch
        Takes the time of `decode`, `verify`, `parse` and `validate`.
    """

    def decode() -> list[Event]:
        return outcomes.open(records, partial(open_record, catalog=catalog))

    def parse() -> list[Event]:
        return outcomes.each(split(outcomes.each(verified, parse_body), outcomes), identify)

    decoded = watch("decode", decode)
    verified = watch(
        "verify", lambda: outcomes.each(decoded, partial(verify, secrets_of=secrets.of))
    )
    parsed = watch("parse", parse)
    return watch("validate", lambda: outcomes.each(parsed, validate))


@without_collection
def process_by_step(
    processor: fan_out.FanOut, batch: Sequence[dict[str, Any]], deadline: Deadline, watch: Stopwatch
) -> Settlement:
    """Take a batch of sound, new events the whole way.

    Parameters
    ----------
    deadline : Deadline
        Bounds the retries.
    watch : Stopwatch
        Takes the time of each of `STEPS`.
    """
    outcomes = Outcomes()
    read = watch("decode", lambda: read_records(batch))
    valid = examine_by_step(read, outcomes, processor.catalog, processor.secrets, watch)
    found = watch("dedupe", lambda: sort_out(valid, processor.table, deadline))
    outcomes.add(found.outcomes)
    written = watch("transform", lambda: outcomes.each(found.new, write_message))
    sent, refused = watch("deliver", lambda: processor.delivery.deliver(written, deadline))
    outcomes.add(refused)
    watch("remember", lambda: processor.table.remember(sent, deadline))
    outcomes.add(delivered(event) for event in sent)
    settlement = Settlement.of(outcomes.all)
    settlement = watch("ledger", lambda: settlement.recorded(processor.archive, deadline))
    watch("report", lambda: fan_out.report(settlement, batch, "bench"))
    return settlement


def split_by_step(batch: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Split a batch of sound, new events by step, in seconds of CPU."""
    watch = Stopwatch()
    settlement = process_by_step(fan_out.fan_out(), batch, Deadline(lambda: 60.0), watch)
    if {outcome.kind for outcome in settlement.settled} != {OutcomeKind.DELIVERED}:
        raise WorkError("steps: an event of the benchmarks was not delivered")
    return watch.steps
