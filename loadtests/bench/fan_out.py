"""The fan-out, whole and by step, beside the floor and the other designs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from loadtests.bench.arena import BUCKET, PROJECT, STAGE, TABLE, Arena, FakeContext, no_op_services
from loadtests.bench.contenders import floor, old_design, powertools
from loadtests.bench.measuring import Contender, CpuSample, WorkError, compare, no_output
from loadtests.bench.payloads import (
    SECRET,
    Webhook,
    aggregated,
    envelopes,
    kinds,
    records,
)
from loadtests.bench.steps import split_by_step
from pipeline.archive.writer import ArchiveWriter
from pipeline.event.compiled_source import Catalog, load_catalog
from pipeline.fan_out.delivery import SqsDelivery
from pipeline.fan_out.duplicates import DeduplicationTable
from pipeline.runtime.collector import without_collection
from pipeline.runtime.deadline import Deadline
from pipeline.runtime.secret_store import SecretStore
from stream_processors import fan_out

if TYPE_CHECKING:
    from collections.abc import Callable

BATCHES = (10, 100, 500)
OTHERS = 100  # events in a round of the slower designs


def run(arena: Arena, rounds: int) -> dict[str, Any]:
    """Measure everything of the fan-out.

    Returns
    -------
    dict[str, Any]
        For each kind of event: `fan_out_us`, `floor_us`, `old_design_us`, `powertools_us`, the
        batch sizes, the no-op figure and the steps, all in microseconds of CPU an event.
    """
    return {kind: _measure(arena, make, rounds) for kind, make in kinds(arena.sources).items()}


def _measure(arena: Arena, make: Callable[[int], list[Webhook]], rounds: int) -> dict[str, Any]:
    contenders = {"floor": Contender(floor([base64.b64encode(one.body) for one in make(500)]))}
    for size in BATCHES:
        contenders[f"batch_{size}"] = _handler(arena, make, size)
        contenders[f"aggregated_{size}"] = _handler(arena, make, size, in_aggregates=True)
    contenders["no_op_services"] = Contender(_without_services(arena, make))
    contenders["old_design"] = Contender(old_design(arena, make(OTHERS)), clean_up=arena.empty)
    fresh = records(envelopes(make(OTHERS), arena.sources))
    usual = powertools(arena, fresh, FakeContext())
    contenders["powertools"] = Contender(usual, clean_up=arena.empty)
    with no_output():
        found = compare(contenders, rounds)
        steps = _steps(arena, make, rounds)
    return _figures(found) | {"steps_us": steps}


def _figures(found: dict[str, CpuSample]) -> dict[str, Any]:
    def us(name: str) -> float:
        return round(found[name].median, 1)

    return {
        "fan_out_us": us("batch_500"),
        "floor_us": us("floor"),
        "old_design_us": us("old_design"),
        "powertools_us": us("powertools"),
        "by_batch_us": {str(size): us(f"batch_{size}") for size in BATCHES},
        "aggregated_by_batch_us": {str(size): us(f"aggregated_{size}") for size in BATCHES},
        "no_op_services_us": us("no_op_services"),
        "spread_us": {
            name: [round(value, 1) for value in sample.spread] for name, sample in found.items()
        },
    }


def _handler(
    arena: Arena, make: Callable[[int], list[Webhook]], size: int, *, in_aggregates: bool = False
) -> Contender:
    """Return the whole handler on batches of one size: 500 events a round, all new each time."""
    batches: list[list[dict[str, Any]]] = []

    def prepare() -> None:
        data = envelopes(make(500), arena.sources)
        for start in range(0, 500, size):
            part = data[start : start + size]
            batches.append(records(aggregated(part) if in_aggregates else part))

    def work() -> int:
        while batches:
            invoke(batches.pop())
        return 500

    return Contender(work, prepare, arena.empty)


def invoke(batch: list[dict[str, Any]]) -> None:
    """Call the handler as Lambda does; WorkError when a part of the batch was not settled."""
    answer = fan_out.handler({"Records": batch}, FakeContext())  # type: ignore[arg-type]
    if answer["batchItemFailures"]:
        raise WorkError("fan-out: a batch of the benchmarks was not settled")


def _without_services(arena: Arena, make: Callable[[int], list[Webhook]]) -> Callable[[], int]:
    batch = records(envelopes(make(500), arena.sources))
    processor = processor_on_no_op_services(arena)
    deadline = Deadline(lambda: 60.0)

    @without_collection
    def work() -> int:
        fan_out.report(processor.process(batch, deadline), batch, "bench")
        return len(batch)

    return work


class FixedSecrets:
    """Answers for the parameter store."""

    def get_parameter(self, **_: Any) -> Any:
        """Return the secret of the benchmarks."""
        return {"Parameter": {"Value": SECRET}}


def processor_on_no_op_services(arena: Arena, catalog: Catalog | None = None) -> fan_out.FanOut:
    """Return a processor whose services answer at once."""
    services = no_op_services()
    return fan_out.FanOut(
        catalog=catalog or load_catalog(),
        secrets=SecretStore(FixedSecrets(), PROJECT, STAGE),
        table=DeduplicationTable(services["dynamodb"], TABLE),
        delivery=SqsDelivery(services["sqs"], arena.queues),
        archive=ArchiveWriter(services["s3"], BUCKET),
    )


def _steps(arena: Arena, make: Callable[[int], list[Webhook]], rounds: int) -> dict[str, float]:
    """Split a batch of 500 by step, against the emulator."""
    return split_by_step(
        fan_out.fan_out(),
        lambda: records(envelopes(make(500), arena.sources)),
        Deadline(lambda: 60.0),
        rounds,
        arena.empty,
    )
