"""The memory of each process over a run, as a graph for docs/performance.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from loadtests.million.memory import STORE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_NAME = "million-memory.png"
_COLOURS = mpl.color_sequences["tab20"]


def draw_memory(memory: Mapping[str, Any], folder: Path) -> Path:
    """Draw what each process held.

    Parameters
    ----------
    memory : Mapping[str, Any]
        As in `build/million.json`.
    folder : Path
        Where the PNG goes.
    """
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    ours, store = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    for number, (role, held) in enumerate(sorted(memory.items())):
        place = store if role == STORE else ours
        minutes, mib = zip(*((at / 60, size) for at, size in held["samples"]), strict=True)
        label = f"{role}: {held['mib_an_hour']:+,.0f} MiB an hour"
        place.plot(minutes, mib, label=label, color=_COLOURS[number % 20], lw=1.2)
    for place in (ours, store):
        place.set(ylabel="MiB")
        place.set_ylim(bottom=0)
        place.legend(frameon=False, fontsize=7, loc="upper left", ncols=3)
        place.spines[["top", "right"]].set_visible(False)
        place.grid(axis="both", alpha=0.25)
    ours.set_ylim(top=1.45 * max(m["most_mib"] for r, m in memory.items() if r != STORE))
    store.set(xlabel="minutes since the start")
    folder.mkdir(parents=True, exist_ok=True)
    # No date or version inside: the same figures give the same file.
    figure.savefig(folder / FILE_NAME, dpi=110, metadata={"Software": None})
    return folder / FILE_NAME
