"""What the load test found, as a part of the benchmarks' figures: `make load` writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from pipeline.errors import PipelineError

FILE = Path("build") / "load" / "load.json"
NEEDED = ("events_per_second", "p50_ms", "p99_ms")
OPTIONAL = ("delivery_p50_ms", "delivery_p95_ms", "delivery_p99_ms")


class LoadFiguresError(PipelineError):
    """The load test's figures are not in the form that is known here."""


def read(file: Path = FILE) -> dict[str, Any]:
    """Give `end_to_end` from the last load test; nothing where there was none.

    Parameters
    ----------
    file : Path
        What the load test wrote.

    Raises
    ------
    LoadFiguresError
        When it holds something else.
    """
    if not file.is_file():
        return {}
    try:
        found = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise LoadFiguresError(f"{file}: not JSON ({error}); run 'make load' again") from None
    if not isinstance(found, dict):
        raise LoadFiguresError(f"{file}: no JSON object; run 'make load' again")
    for name in NEEDED:
        if isinstance(found.get(name), bool) or not isinstance(found.get(name), int | float):
            raise LoadFiguresError(f"{file}: {name} is missing or no number; run 'make load' again")
    figures = {name: found[name] for name in (*NEEDED, *OPTIONAL) if name in found}
    measured = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds")
    return {"end_to_end": {**figures, "measured": measured}}
