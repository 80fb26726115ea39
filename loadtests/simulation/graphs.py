"""The graphs of docs/scaling.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from loadtests.simulation.workload import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from loadtests.simulation.results import Moment, Simulated

_RATES = (1_000, 10_000, 100_000)
_WORST = 1.05


def draw(outcomes: Mapping[str, Simulated], folder: Path) -> list[Path]:
    """Draw what was simulated; return the PNGs that were written."""
    drawings: dict[str, list[tuple[str, str, Sequence[str]]]] = {
        "outages": [
            (f"{rate:,}/s: ten minutes without …", f"{rate}: {{}} away", SERVICES)
            for rate in _RATES
        ],
        "demand": [
            (f"{rate:,}/s", f"{rate}: {{}}", ("steady", "burst", "hot key 20%", "ten invocations"))
            for rate in _RATES
        ],
        "new-stack": [
            (f"{rate:,}/s, new stack", f"{rate}: {{}}", (variant,))
            for rate, variant in (
                (1_000, "new stack, defaults"),
                (10_000, "new stack, throttle raised"),
                (100_000, "new stack, throttle raised"),
            )
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, panels in drawings.items():
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        for number, (title, form, variants) in enumerate(panels, 1):
            place = figure.add_subplot(1, len(panels), number)
            for variant in variants:
                if outcome := outcomes.get(form.format(variant)):
                    _line(place, outcome, variant)
            place.set(title=title, xlabel="minutes", ylabel="age of the oldest event, minutes")
            _plain(place)
        file = folder / f"scaling-{name}.png"
        # No date or version inside: the same figures give the same file.
        figure.savefig(file, dpi=110, metadata={"Software": None})
        written.append(file)
    return written


def _line(place: Axes, outcome: Simulated, label: str) -> None:
    minutes = [each.second / 60 for each in outcome.moments]
    place.plot(minutes, [each / 60 for each in _ages(outcome.moments)], label=label, lw=1.2)


def _ages(moments: Iterable[Moment]) -> list[float]:
    return [each.age for each in moments]


def _plain(place: Axes) -> None:
    place.set_ylim(0, max(1.0, _WORST * place.dataLim.y1))
    place.spines[["top", "right"]].set_visible(False)
    place.grid(axis="both", alpha=0.25)
    place.set_axisbelow(True)
    if place.lines:
        place.legend(frameon=False, fontsize="small")
