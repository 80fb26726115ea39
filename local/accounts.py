"""Reads the counters that the handlers wrote, from the log files of a local pipeline."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


#: The last two are of events that have the id, or the body, of another one.
COUNTERS = (
    *("Received", "Delivered", "Duplicate", "Rejected", "Ignored"),
    *("IdReused", "BodyReused"),
)


def metric_lines(log: Path) -> Iterator[dict[str, Any]]:
    """Return the embedded-metric lines of a function's log.

    A line that is still being written is left out.
    """
    if not log.exists():
        return
    with log.open("rb") as file:
        for line in file:
            if b'"_aws"' not in line or not line.endswith(b"\n"):
                continue
            try:
                document = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(document, dict):
                yield document


def counters(logs: Path) -> dict[str, Counter[str]]:
    """Add up the counters of every function.

    Parameters
    ----------
    logs : Path
        The folder with one log file for each function.

    Returns
    -------
    dict[str, Counter[str]]
        Source to the counters of `COUNTERS`, and `rejected:<reason>`.
    """
    result: dict[str, Counter[str]] = {}
    for log in sorted(logs.glob("*.log")):
        for line in metric_lines(log):
            source = line.get("source")
            if not isinstance(source, str):
                continue
            counter = result.setdefault(source, Counter())
            for name in COUNTERS:
                counter[name] += _value(line, name)
            reason = line.get("reason")
            if isinstance(reason, str):
                counter[f"rejected:{reason}"] += _value(line, "RejectedByReason")
    return result


def _value(line: dict[str, Any], name: str) -> int:
    # Powertools writes a list of values for each metric.
    value = line.get(name, 0)
    return int(sum(value)) if isinstance(value, list) else int(value)
