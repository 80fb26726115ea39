"""The fan-out, whole and by step, beside the floor and the other designs."""

from __future__ import annotations

import base64
import statistics
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from loadtests.bench.arena import BUCKET, PROJECT, STAGE, TABLE, Arena, Context, no_op_services
from loadtests.bench.contenders import floor, old_design, powertools
from loadtests.bench.measuring import (
    MICRO,
    Contender,
    Sample,
    Stopwatch,
    compare,
    no_output,
)
from loadtests.bench.payloads import (
    SECRET,
    Delivery,
    aggregated,
    envelopes,
    github_deliveries,
    records,
    small_deliveries,
)
from pipeline.archive import Archive
from pipeline.delivery import SqsDelivery
from pipeline.duplicates import DeduplicationTable, drop_duplicates
from pipeline.events import Outcomes, delivered
from pipeline.mozdef_event import write_message
from pipeline.records import read_events
from pipeline.retrying import Deadline
from pipeline.secret_store import SecretStore
from pipeline.settlement import Settlement
from pipeline.sources.compiled import Catalog, load_catalog
from pipeline.steps import examine
from stream_processors import fan_out

if TYPE_CHECKING:
    from collections.abc import Callable

BATCHES = (10, 100, 500)
OTHERS = 100  # events in a round of the slower designs
_CONTEXT = Context()


def kinds(arena: Arena) -> dict[str, Callable[[int], list[Delivery]]]:
    """Give what makes the two kinds of events: real ones of 10 KB, and small ones of 1 KB."""
    real = github_deliveries(arena.sources["github"])

    def real_ones(number: int) -> list[Delivery]:
        return list(islice(cycle(real), number))

    def small_ones(number: int) -> list[Delivery]:
        return small_deliveries(arena.sources["zoom"], number)

    return {"github_10kb": real_ones, "small_1kb": small_ones}


def run(arena: Arena, rounds: int) -> dict[str, Any]:
    """Measure everything of the fan-out.

    Returns
    -------
    dict[str, Any]
        For each kind of event: `fan_out_us`, `floor_us`, `old_design_us`, `powertools_us`, the
        batch sizes, the no-op figure and the steps, all in microseconds of CPU an event.
    """
    return {kind: _measure(arena, make, rounds) for kind, make in kinds(arena).items()}


def _measure(arena: Arena, make: Callable[[int], list[Delivery]], rounds: int) -> dict[str, Any]:
    contenders = {"floor": Contender(floor([base64.b64encode(one.body) for one in make(500)]))}
    for size in BATCHES:
        contenders[f"batch_{size}"] = _handler(arena, make, size)
    contenders["aggregated_500"] = _handler(arena, make, 500, in_aggregates=True)
    contenders["no_op_services"] = Contender(_without_services(arena, make))
    contenders["old_design"] = Contender(old_design(arena, make(OTHERS)), clean_up=arena.empty)
    fresh = records(envelopes(make(OTHERS), arena.sources))
    usual = powertools(arena, fresh, _CONTEXT)
    contenders["powertools"] = Contender(usual, clean_up=arena.empty)
    with no_output():
        found = compare(contenders, rounds)
        steps = _steps(arena, make, rounds)
    return _figures(found) | {"steps_us": steps}


def _figures(found: dict[str, Sample]) -> dict[str, Any]:
    def us(name: str) -> float:
        return round(found[name].median, 1)

    return {
        "fan_out_us": us("batch_500"),
        "floor_us": us("floor"),
        "old_design_us": us("old_design"),
        "powertools_us": us("powertools"),
        "by_batch_us": {str(size): us(f"batch_{size}") for size in BATCHES},
        "aggregated_500_us": us("aggregated_500"),
        "no_op_services_us": us("no_op_services"),
        "spread_us": {
            name: [round(value, 1) for value in sample.spread] for name, sample in found.items()
        },
    }


def _handler(
    arena: Arena, make: Callable[[int], list[Delivery]], size: int, *, in_aggregates: bool = False
) -> Contender:
    """Give the whole handler on batches of one size: 500 events a round, all new each time."""
    batches: list[list[dict[str, Any]]] = []

    def prepare() -> None:
        data = envelopes(make(500), arena.sources)
        for start in range(0, 500, size):
            part = data[start : start + size]
            batches.append(records(aggregated(part) if in_aggregates else part))

    def work() -> int:
        while batches:
            fan_out.handler({"Records": batches.pop()}, _CONTEXT)  # type: ignore[arg-type]
        return 500

    return Contender(work, prepare, arena.empty)


def _without_services(arena: Arena, make: Callable[[int], list[Delivery]]) -> Callable[[], int]:
    batch = records(envelopes(make(500), arena.sources))
    processor = processor_on_no_op_services(arena)
    deadline = Deadline(lambda: 60.0)

    def work() -> int:
        fan_out.report(processor.process(batch, deadline), batch, "bench")
        return len(batch)

    return work


class FixedSecrets:
    """Answers for the parameter store."""

    def get_parameter(self, **_: Any) -> Any:
        """Give the secret of the benchmarks."""
        return {"Parameter": {"Value": SECRET}}


def processor_on_no_op_services(arena: Arena, catalog: Catalog | None = None) -> fan_out.FanOut:
    """Give a processor whose services answer at once."""
    services = no_op_services()
    return fan_out.FanOut(
        catalog=catalog or load_catalog(),
        secrets=SecretStore(FixedSecrets(), PROJECT, STAGE),
        table=DeduplicationTable(services["dynamodb"], TABLE),
        delivery=SqsDelivery(services["sqs"], arena.queues),
        archive=Archive(services["s3"], BUCKET),
    )


def _steps(arena: Arena, make: Callable[[int], list[Delivery]], rounds: int) -> dict[str, float]:
    """Split a batch of 500 by step, against the emulator."""
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        batch = records(envelopes(make(500), arena.sources))
        for name, seconds in _steps_of_one(batch).items():
            taken.setdefault(name, []).append(seconds / len(batch) * MICRO)
        arena.empty()
    return {name: round(statistics.median(values), 1) for name, values in taken.items()}


def _steps_of_one(batch: list[dict[str, Any]]) -> dict[str, float]:
    processor, deadline = fan_out.fan_out(), Deadline(lambda: 60.0)
    watch, outcomes = Stopwatch(), Outcomes()
    read = watch("read", lambda: read_events(batch))
    valid = watch("examine", lambda: examine(read, outcomes, processor.catalog, processor.secrets))
    new, _, _ = watch("look up", lambda: drop_duplicates(valid, processor.table, deadline))
    written = watch("write message", lambda: outcomes.each(new, write_message))
    sent, _ = watch("deliver", lambda: processor.delivery.deliver(written, deadline))
    watch("remember", lambda: processor.table.remember(sent, deadline))
    outcomes.add(delivered(event) for event in sent)
    settlement = Settlement.of(outcomes.all, len(outcomes.all))
    watch("ledger", lambda: settlement.recorded(processor.archive, deadline))
    watch("report", lambda: fan_out.report(settlement, batch, "bench"))
    return watch.steps
