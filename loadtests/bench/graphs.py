"""The figures of a run as graphs, for docs/performance.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from loadtests.bench.report import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from matplotlib.axes import Axes

TITLES = {"github_10kb": "real GitHub events, 10 KB", "small_1kb": "events of 1 KB"}
CPU = "microseconds of CPU an event"
_BARS = {
    "floor_us": "the floor",
    "no_op_services_us": "fan-out, services\nanswer at once",
    "fan_out_us": "fan-out,\nbatch of 500",
    "old_design_us": "one call an event,\nthe old way",
    "powertools_us": "powertools'\nBatchProcessor",
}
_OURS, _OTHERS = "#1f5fa8", "#9aa5b1"
_COLOURS = mpl.color_sequences["tab10"]


def draw(figures: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what the figures have.

    Parameters
    ----------
    figures : Mapping[str, Any]
        As in `build/bench.json`.
    folder : Path
        Where the PNGs go.

    Returns
    -------
    list[Path]
        What was written.
    """
    drawings: dict[str, Callable[[Mapping[str, Any]], Figure]] = {}
    if all(kind in figures for kind in KINDS):
        drawings |= {"contenders": contenders, "steps": steps}
    if "growth" in figures:
        drawings["growth"] = growth
    if "replay_memory" in figures:
        drawings["replay-memory"] = replay_memory
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, drawing in drawings.items():
        file = folder / f"bench-{name}.png"
        # No date or version inside: the same figures give the same file.
        drawing(figures).savefig(file, dpi=110, metadata={"Software": None})
        written.append(file)
    return written


def contenders(figures: Mapping[str, Any]) -> Figure:
    """Draw the contenders as bars, for each kind of event."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    for place, kind in zip(figure.subplots(1, 2), KINDS, strict=True):
        values = [figures[kind][name] for name in _BARS]
        colours = [_OURS if "fan-out" in label else _OTHERS for label in _BARS.values()]
        bars = place.barh(list(_BARS.values()), values, color=colours)
        place.bar_label(bars, fmt="%.0f", padding=3)
        place.invert_yaxis()
        place.margins(x=0.15)
        place.set(title=TITLES[kind], xlabel=CPU)
        _plain(place)
    return figure


def steps(figures: Mapping[str, Any]) -> Figure:
    """Draw the steps of a batch of 500 as stacked bars, with the floor beside them."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    place = figure.subplots()
    left = [0.0] * len(KINDS)
    for number, step in enumerate(figures[KINDS[0]]["steps_us"]):
        widths = [figures[kind]["steps_us"][step] for kind in KINDS]
        titles = [TITLES[kind] for kind in KINDS]
        bars = place.barh(titles, widths, left=left, label=step, color=_COLOURS[number % 10])
        labels = [f"{width:.0f}" if width >= 3 else "" for width in widths]
        place.bar_label(bars, labels, label_type="center", color="white")
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for row, kind in enumerate(KINDS):
        place.plot([figures[kind]["floor_us"]] * 2, [row - 0.4, row + 0.4], color="black", lw=2)
    place.plot([], [], color="black", lw=2, label="the floor")
    place.invert_yaxis()
    place.set(xlabel=CPU)
    place.legend(ncols=6, loc="upper center", bbox_to_anchor=(0.45, -0.25), frameon=False)
    _plain(place)
    return figure


def growth(figures: Mapping[str, Any]) -> Figure:
    """Draw what an event costs over batch, size, catalogue and duplicates."""
    found = figures["growth"]
    figure = Figure(figsize=(10, 7), layout="constrained")
    batch, size, sources, duplicates = figure.subplots(2, 2).flat
    _curve(batch, found["batch_size_us"], "the fan-out")
    batch.set(xscale="log", xlabel="records in a batch", title="batch size", ylabel=CPU)
    _curve(size, found["event_kb_us"], "the fan-out")
    _curve(size, found["event_kb_floor_us"], "the floor", _OTHERS)
    size.set(xlabel="KB of an event", title="event size, batches of 50", ylabel=CPU)
    size.legend(frameon=False)
    _curve(sources, found["sources_us"], "the fan-out")
    sources.set(
        xlabel="sources in the catalogue", title="catalogue (services answer at once)", ylabel=CPU
    )
    _curve(duplicates, found["duplicates_percent_us"], "the fan-out")
    duplicates.set(xlabel="percent of duplicates", title="duplicates", ylabel=CPU)
    for place in (batch, size, sources, duplicates):
        place.set_ylim(0, 1.1 * place.dataLim.y1)
        _plain(place)
    return figure


def replay_memory(figures: Mapping[str, Any]) -> Figure:
    """Draw the memory of a replay over what was read."""
    found = figures["replay_memory"]
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    place = figure.subplots()
    samples = {name.rstrip("%"): held for name, held in found["samples_mb"].items()}
    _curve(place, samples, "memory")
    place.set_ylim(0, 1.1 * place.dataLim.y1)
    place.set(
        xlabel=f"percent read of {found['read_mb']:,} MB, {found['events']:,} events", ylabel="MB"
    )
    _plain(place)
    return figure


def _curve(place: Axes, points: Mapping[str, float], label: str, colour: str = _OURS) -> None:
    at = [float(value) for value in points]
    place.plot(at, list(points.values()), marker="o", label=label, color=colour)


def _plain(place: Axes) -> None:
    place.spines[["top", "right"]].set_visible(False)
    place.grid(axis="both", alpha=0.25)
    place.set_axisbelow(True)
