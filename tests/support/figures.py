"""Figures of the benchmarks, made up, in the form of `build/bench.json`."""

from __future__ import annotations

from typing import Any

from loadtests.bench.cold_start import handlers
from loadtests.bench.growth import BATCHES, DUPLICATES, KILOBYTES, SOURCES
from loadtests.bench.steps import STEPS


def _points(values: tuple[int, ...], cost: float) -> dict[str, float]:
    return {str(value): cost + place for place, value in enumerate(values)}


def _kind(scale: float) -> dict[str, Any]:
    return {
        "python": "3.13.0",
        "fan_out_us": 110.0 * scale,
        "floor_us": 50.0 * scale,
        "old_design_us": 1000.5 * scale,
        "powertools_us": 1200.5 * scale,
        "by_batch_us": {"10": 200.5, "100": 120.5, "500": 110.0},
        "aggregated_by_batch_us": {"10": 190.0, "100": 110.0, "500": 112.5},
        "no_op_services_us": 75.5,
        "steps_us": {step: 10.25 + number for number, step in enumerate(STEPS)},
    }


def bench_figures() -> dict[str, Any]:
    """Every part of a run; all times are floats, and nothing else is."""
    names = [handler.partition(".")[2] for handler in handlers()]
    kinds = ("github_10kb", "small_1kb")
    archive = {"us": 90.5, "floor_us": 50.0, "events_per_second": 11_050, "mb_per_second": 110}
    return {
        "machine": {"cores": 2},
        "rounds": 5,
        "github_10kb": _kind(1.0),
        "small_1kb": _kind(0.5),
        "growth": {
            "batch_size_us": _points(BATCHES, 100.0),
            "event_kb_us": _points(KILOBYTES, 90.0),
            "event_kb_us_per_kb": _points(KILOBYTES, 9.0),
            "event_kb_floor_us": _points(KILOBYTES, 10.0),
            "sources_us": _points(SOURCES, 80.0),
            "duplicates_percent_us": _points(DUPLICATES, 70.0),
            "floor_us": {"github_10kb": 50.0},
        },
        **{
            part: {kind: dict(archive) for kind in kinds}
            for part in ("archiver", "replay", "audit")
        },
        "authorizer_us": 30.5,
        "receiver_us": 320.5,
        "template_us": {"github_10kb": 105.5, "small_1kb": 60.5},
        "front_door_floor_us": {"github_10kb": 50.0, "small_1kb": 7.0},
        "gateway_us": {"github_10kb": 569.0, "small_1kb": 446.0},
        "gateway_floor_us": {"github_10kb": 50.0, "small_1kb": 7.0},
        "cold_start_ms": {name: 60.5 + number for number, name in enumerate(names)},
        "cold_start_wall_ms": {name: 61.5 + number for number, name in enumerate(names)},
        "warm_tree_ms": {name: 62.5 + number for number, name in enumerate(names)},
        "first_invocation_ms": {name: 5.5 + number for number, name in enumerate(names)},
        "peak_memory_mb": {**dict.fromkeys(names, 30), "fan_out_500": 80},
        "import_boto3_ms": 106.0,
        "assets": {"code": 3_000_000, "layer": 8_000_000},
        "python": "3.13.0",
        "body_rules_us": {"no rule: names and depth": 23.5, "stringify, the body": 10.5},
        "replay_memory_mb": 12,
        "replay_memory": {
            "events": 180_000,
            "read_mb": 2_040,
            "growth_mb": 12,
            "samples_mb": {"0%": 160, "50%": 190, "100%": 190},
        },
        "end_to_end": {
            "capacity_per_second": 1_660,
            "events_per_second": 1_600,
            "p50_ms": 20,
            "p99_ms": 50,
            "at_rate": {
                "500": {"events_per_second": 500, "p50_ms": 20, "p99_ms": 50},
                "1650": {"events_per_second": 1_600, "p50_ms": 30, "p99_ms": 120},
            },
        },
    }
