"""The figures of a run as a table, and as `build/bench.json`."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import orjson

from infra.assembly.bytecode import PYTHON_VERSION
from local.files import write_atomically
from toolbox.terminal.output import console, print_table

FILE = Path("build") / "bench.json"
KINDS = ("github_10kb", "small_1kb")
_LISTS = {
    "body_rules_us": ("Rules on a body of 12 KB", "kind of rule"),
    "proofs_us": ("Proofs of a body of 1 KB, their keys known", "kind of proof"),
    "bodies_us": ("Bodies of ten fields, and signatures over parts of them", "what"),
}
#: What is varied, and in what its cost is given.
GROWTH = {
    "batch_size_us": "us an event by records of a batch",
    "event_kb_us": "us an event by its KB",
    "event_kb_us_per_kb": "us a KB by the event's KB",
    "event_kb_floor_us": "the floor, us an event by its KB",
    "sources_us": "us an event by sources in the catalogue",
    "duplicates_percent_us": "us an event by percent of duplicates",
    "floor_us": "the floor of the events whose size is not varied",
}


def machine() -> dict[str, Any]:
    """Say where the figures were taken: they are worth nothing without it."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "processor": processor(),
        "python": platform.python_version(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name the processor; with family, model and stepping, as a virtual machine hides its name.

    Parameters
    ----------
    cpuinfo : Path
        Linux's list of processors, proc_cpuinfo(5). Elsewhere Python's `platform` is asked.
    """
    try:
        first = cpuinfo.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        first = ""
    said = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in first.splitlines())
    }
    name = said.get("model name") or platform.processor() or platform.machine()
    numbers = [
        f"{word} {said[key]}"
        for key, word in (("cpu family", "family"), ("model", "model"), ("stepping", "stepping"))
        if said.get(key)
    ]
    return f"{name} ({', '.join(numbers)})" if numbers else name


def write(figures: dict[str, Any], file: Path = FILE) -> None:
    """Write the figures for programs: the file is the old one or the new one, never a part.

    Parameters
    ----------
    file : Path
        Where to.
    """
    write_atomically(file, orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode())


def show(figures: dict[str, Any]) -> None:
    """Print the figures for people; a part that was not run, or failed, is left out."""
    for kind in KINDS:
        if kind in figures:
            _show_kind(kind, figures[kind])
    for name, points in figures.get("growth", {}).items():
        _show_growth(name, points)
    for part in ("archiver", "replay", "audit"):
        if part in figures:
            _show_archive(part, figures[part])
    _show_lists(figures)
    _show_door(figures)
    if "cold_start_ms" in figures:
        _show_cold_start(figures)
    if "replay_memory" in figures:
        _show_memory(figures["replay_memory"])
    if "console" in figures:
        _show_console(figures["console"])
    if "end_to_end" in figures:
        _show_end_to_end(figures["end_to_end"])


def _show_lists(figures: dict[str, Any]) -> None:
    for key, (title, column) in _LISTS.items():
        if key in figures:
            what = f"{title}: microseconds of CPU for an event"
            print_table(what, (column, "us"), list(figures[key].items()))


def _show_end_to_end(figures: dict[str, Any]) -> None:
    found = figures["at_rate"]
    print_table(
        "End to end on this machine, events of 1 KB, each accounted for",
        ("", *(f"{int(rate):,} a second" for rate in found)),
        [(name, *(one[name] for one in found.values())) for name in next(iter(found.values()))],
    )
    console.print(f"This machine sustains {figures['capacity_per_second']:,} requests a second.")


def _show_growth(name: str, points: dict[str, float]) -> None:
    print_table(f"growth: {GROWTH[name]}", ("at", "us"), list(points.items()))


def _show_archive(part: str, kinds: dict[str, Any]) -> None:
    print_table(
        f"{part}, on services that answer at once",
        ("events", "us an event", "events/s of CPU", "MB/s of bodies"),
        [
            (kind, one["us"], one["events_per_second"], one["mb_per_second"])
            for kind, one in kinds.items()
        ],
    )


def _show_door(figures: dict[str, Any]) -> None:
    rows = [
        (what, figures[name])
        for name, what in (
            ("authorizer_us", "authorizer, warm"),
            ("receiver_us", "receiver, event of 1 KB, against the emulator"),
        )
        if name in figures
    ]
    for name, what in (
        ("template_us", "mapping template rendered locally"),
        ("gateway_us", "the local gateway's process"),
    ):
        rows += [(f"{what}, {kind}", us) for kind, us in figures.get(name, {}).items()]
    if rows:
        print_table("Front door: microseconds of CPU for a request", ("what", "us"), rows)


def _show_cold_start(figures: dict[str, Any]) -> None:
    memory, assets = figures["peak_memory_mb"], figures["assets"]
    columns = ("cold_start_ms", "cold_start_wall_ms", "warm_tree_ms", "first_invocation_ms")
    print_table(
        f"What ships, read-only, in a fresh Python {figures['python']}: milliseconds of CPU",
        ("handler", "import", "by the clock", "from a warm tree", "first invocation", "MB"),
        [
            (name, *(figures[column][name] for column in columns), memory[name])
            for name in sorted(figures["cold_start_ms"])
        ],
    )
    console.print(f"Code: {assets['code']:,} bytes; layer: {assets['layer']:,} bytes.")
    console.print(
        f"The fan-out with batches of 500 events of 10 KB: {memory['fan_out_500']} MB. "
        f"For comparison, the import of boto3 alone: {figures['import_boto3_ms']} ms."
    )


def _show_memory(found: dict[str, Any]) -> None:
    print_table(
        f"Memory of a replay of {found['read_mb']:,} MB, {found['events']:,} events",
        ("read", "MB"),
        list(found["samples_mb"].items()),
    )
    console.print(f"It grew by {found['growth_mb']} MB after the first tenth.")


def _show_console(found: dict[str, Any]) -> None:
    print_table(
        f"The console over {found['events']:,} events of a day: milliseconds by the clock",
        ("page", "median", "the first time"),
        [(name, ms, found["first_ms"][name]) for name, ms in found["pages_ms"].items()],
    )
    console.print(f"Its process held {found['memory_mb']} MB at the most.")


def _python(version: str) -> str:
    """Name an interpreter; a machine that has none of Lambda's version measures with another."""
    lambdas = version.startswith(f"{PYTHON_VERSION}.")
    return f"Python {version}" if lambdas else f"Python {version}, not Lambda's {PYTHON_VERSION}"


def _show_kind(kind: str, found: dict[str, Any]) -> None:
    ours = found["fan_out_us"]
    taken = {
        **{f"fan-out, batch of {size}": us for size, us in found["by_batch_us"].items()},
        **{
            f"fan-out, {size} in aggregates": us
            for size, us in found["aggregated_by_batch_us"].items()
        },
        "fan-out, services that answer at once": found["no_op_services_us"],
        "the floor": found["floor_us"],
        "one call for each event, the old way": found["old_design_us"],
        "powertools' BatchProcessor": found["powertools_us"],
    }
    print_table(
        f"{kind}: microseconds of CPU for an event, what ships under {_python(found['python'])}",
        ("what", "us", "times the fan-out"),
        [(name, us, f"{us / ours:.2f}") for name, us in taken.items()],
    )
    steps = found["steps_us"]
    print_table(f"{kind}: by step", ("step", "us"), list(steps.items()))
    console.print(
        f"{ours / found['floor_us']:.2f} times the floor; the old way takes "
        f"{found['old_design_us'] / ours:.1f} times as long, powertools "
        f"{found['powertools_us'] / ours:.1f} times."
    )
