"""The figures of a run as ratios: what another machine, or a slower hour of this one, leaves alone.

A ratio divides two figures that were measured by turns in the same part of the same run, most often
by the floor. Its name begins with that part, so that the part alone can be measured again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loadtests.bench.report import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: A step of a few microseconds is noisy, most of all on a machine that does other things: what it
#: grew by counts from this share of the fan-out on.
LEAST_SHARE = 0.06


@dataclass(frozen=True)
class Ratio:
    """One ratio.

    Parameters
    ----------
    name : str
        The part, and what is divided by what.
    least : float
        A difference below it says nothing.
    """

    name: str
    value: float
    least: float = 0.0


def part_of(name: str) -> str:
    """Return the part of the benchmarks that a ratio belongs to."""
    return name.partition(".")[0]


def ratios(figures: Mapping[str, Any]) -> dict[str, Ratio]:
    """Return the ratios of a run by name; those of parts that were not run are not there.

    Parameters
    ----------
    figures : Mapping[str, Any]
        As in `build/bench.json`.
    """
    found = [
        *(one for kind in KINDS if kind in figures for one in _fan_out(kind, figures[kind])),
        *(_growth(figures["growth"]) if "growth" in figures else ()),
        *_archive(figures),
        *_front_door(figures),
        *_cold_start(figures),
    ]
    return {one.name: one for one in found}


def _fan_out(kind: str, found: Mapping[str, Any]) -> Iterator[Ratio]:
    ours, floor = found["fan_out_us"], found["floor_us"]
    where = f"fan_out.{kind}"
    yield Ratio(f"{where}.whole/floor", ours / floor)
    yield Ratio(f"{where}.whole/old_design", ours / found["old_design_us"])
    yield Ratio(f"{where}.whole/powertools", ours / found["powertools_us"])
    yield Ratio(f"{where}.without_services/floor", found["no_op_services_us"] / floor)
    yield Ratio(f"{where}.aggregated/floor", found["aggregated_by_batch_us"]["500"] / floor)
    yield Ratio(f"{where}.batch_of_10/floor", found["by_batch_us"]["10"] / floor)
    for step, us in found["steps_us"].items():
        yield Ratio(f"{where}.step_{step}/floor", us / floor, LEAST_SHARE * ours / floor)


def _growth(found: Mapping[str, Any]) -> Iterator[Ratio]:
    batches, sources = found["batch_size_us"], found["sources_us"]
    duplicates = found["duplicates_percent_us"]
    sizes, floors = found["event_kb_us"], found["event_kb_floor_us"]
    yield Ratio("growth.batch_of_2000/batch_of_500", batches["2000"] / batches["500"])
    yield Ratio("growth.16_sources/1_source", sources["16"] / sources["1"])
    floor = found["floor_us"]["github_10kb"]
    for percent in ("50", "100"):
        yield Ratio(f"growth.{percent}_percent_duplicates/floor", duplicates[percent] / floor)
    for size in ("16", "250"):
        yield Ratio(f"growth.event_of_{size}_kb/floor", sizes[size] / floors[size])


def _archive(figures: Mapping[str, Any]) -> Iterator[Ratio]:
    for part in ("archiver", "replay", "audit"):
        for kind, found in figures.get(part, {}).items():
            yield Ratio(f"archive.{part}.{kind}/floor", found["us"] / found["floor_us"])


def _front_door(figures: Mapping[str, Any]) -> Iterator[Ratio]:
    if "front_door_floor_us" in figures:
        floors = figures["front_door_floor_us"]
        for name in ("authorizer", "receiver"):
            yield Ratio(f"front_door.{name}/floor", figures[f"{name}_us"] / floors["small_1kb"])
        for kind, us in figures["template_us"].items():
            yield Ratio(f"front_door.template.{kind}/floor", us / floors[kind])
    for kind, us in figures.get("gateway_us", {}).items():
        yield Ratio(f"gateway.{kind}/floor", us / figures["gateway_floor_us"][kind])


def _cold_start(figures: Mapping[str, Any]) -> Iterator[Ratio]:
    if "cold_start_ms" not in figures:
        return
    boto3 = figures["import_boto3_ms"]
    for name, ms in figures["cold_start_ms"].items():
        yield Ratio(f"cold_start.import_{name}/import_boto3", ms / boto3)
        yield Ratio(f"cold_start.import_{name}/warm_tree", ms / figures["warm_tree_ms"][name])
    for name, ms in figures["first_invocation_ms"].items():
        least = LEAST_SHARE * figures["cold_start_ms"][name] / boto3
        yield Ratio(f"cold_start.first_{name}/import_boto3", ms / boto3, least)
    memory = figures["peak_memory_mb"]
    yield Ratio(
        "cold_start.memory_fan_out_500/authorizer", memory["fan_out_500"] / memory["authorizer"]
    )
