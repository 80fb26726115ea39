"""The fan-out, whole and by step, beside the floor and the other designs: what ships of it."""

from __future__ import annotations

import base64
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loadtests.bench.contenders import proxy_event
from loadtests.bench.payloads import Webhook, aggregated, envelopes, kinds, records
from loadtests.bench.shipped_work import measuring

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loadtests.bench.arena import Arena
    from loadtests.bench.shipped_work import Measuring
    from settings.source.loader import LoadedSource

BATCHES = (10, 100, 500)
EVENTS = 500
OTHERS = 100  # events in a round of the slower designs


def run(arena: Arena, rounds: int) -> dict[str, Any]:
    """Measure everything of the fan-out.

    Returns
    -------
    dict[str, Any]
        For each kind of event: `fan_out_us`, `floor_us`, `old_design_us`, `powertools_us`, the
        batch sizes, the no-op figure and the steps, all in microseconds of CPU an event, and the
        version of the Python that they are of.
    """
    with measuring(arena) as (ours, theirs, python):
        return {
            kind: _Kind(arena, make, ours, theirs).measured(rounds) | {"python": python}
            for kind, make in kinds(arena.sources).items()
        }


@dataclass(frozen=True)
class _Kind:
    """One kind of event, and what measures it."""

    arena: Arena
    make: Callable[[int], list[Webhook]]
    ours: Measuring
    theirs: Measuring

    def measured(self, rounds: int) -> dict[str, Any]:
        """Have all of it done by turns, on new events each time; once before it counts."""
        taken = [self._round() for _ in range(rounds + 1)][1:]
        whole = {
            name: [one[name]["whole"] for one in taken] for name in taken[0] if name != "steps"
        }

        def us(name: str) -> float:
            return round(statistics.median(whole[name]), 1)

        return {
            "fan_out_us": us("batch_500"),
            "floor_us": us("floor"),
            "old_design_us": us("old_design"),
            "powertools_us": us("powertools"),
            "by_batch_us": {str(size): us(f"batch_{size}") for size in BATCHES},
            "aggregated_by_batch_us": {str(size): us(f"aggregated_{size}") for size in BATCHES},
            "no_op_services_us": us("no_op_services"),
            "spread_us": {
                name: [round(min(values), 1), round(max(values), 1)]
                for name, values in whole.items()
            },
            "steps_us": {
                step: round(statistics.median(one["steps"][step] for one in taken), 1)
                for step in taken[0]["steps"]
            },
        }

    def _round(self) -> dict[str, dict[str, float]]:
        bodies = [base64.b64encode(one.body).decode() for one in self.make(EVENTS)]
        found = {"floor": self.ours("floor", bodies, EVENTS)}
        for size in BATCHES:
            found[f"batch_{size}"] = self._handled(size, list)
            found[f"aggregated_{size}"] = self._handled(size, aggregated)
        found["no_op_services"] = self.ours("no_op_services", self._records(EVENTS), EVENTS)
        found["steps"] = self.ours("steps", self._records(EVENTS), EVENTS)
        self.arena.empty()
        requests = [proxy_event(one.source, one.headers, one.body) for one in self.make(OTHERS)]
        found["old_design"] = self.theirs("old_design", requests, OTHERS)
        usual = {"schemas": schemas(self.arena.sources), "batch": self._records(OTHERS)}
        found["powertools"] = self.theirs("powertools", usual, OTHERS)
        self.arena.empty()
        return found

    def _records(self, number: int) -> list[dict[str, Any]]:
        return records(envelopes(self.make(number), self.arena.sources))

    def _handled(self, size: int, form: Callable[[list[bytes]], list[bytes]]) -> dict[str, float]:
        """Have the whole handler measured on batches of a size."""
        data = envelopes(self.make(EVENTS), self.arena.sources)
        parts = [data[start : start + size] for start in range(0, EVENTS, size)]
        taken = self.ours("fan_out", [records(form(part)) for part in parts], EVENTS)
        self.arena.empty()
        return taken


def schemas(sources: Mapping[str, LoadedSource]) -> dict[str, dict[str, Any]]:
    """Return the schemas by source and type; a source's default has an empty type."""
    return {
        name: {**source.schemas, "": source.default_schema or {}}
        for name, source in sources.items()
    }
