"""The audit's join as SQL over the tables of the archive, for Athena engine version 3 (Trino)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from pipeline.archive.keys import DAY, HOUR, SOURCE
from pipeline.archive.lines import safe_source

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

_FOLDER = Path(__file__).parent
#: Bytes. A query has 262,144 at most (Amazon Athena User Guide, service quotas).
_LONGEST_NAMES = 200_000
#: What a row of an hour's answer is about. Of what is not `settled`, each has a row of its own.
SETTLED, UNARCHIVED = "settled", "unarchived"
UNACCOUNTED, SHORT, UNREADABLE = "unaccounted", "short", "unreadable"
_DETAILS = {"shard", "sequence_number", "id", "arrived", "path"}
HOUR_COLUMNS = frozenset({"what", "events", "source", "outcome", "reason", "replayed", *_DETAILS})
REPLAYS_COLUMNS = frozenset({"event", "redelivered", "unresolved"})


def hour_query(hour: datetime, source: str | None) -> str:
    """Return the query that accounts for the events which arrived in one hour (UTC).

    It is of one hour, since `raw/` and `ledger/` file an event by the same one.
    """
    place = f"{DAY} = '{hour:%Y-%m-%d}' AND {HOUR} = {hour.hour}{_of(source)}"
    return _text("hour").replace("{hour}", place)


def replays_query(hours: Iterable[datetime], source: str | None, also: Iterable[str]) -> str:
    """Return the query for the events of requests that a replay delivered within some hours.

    Parameters
    ----------
    also : Iterable[str]
        Envelopes, as an event's id begins with them, of which that is known from elsewhere. What
        would make the query longer than Athena takes is left out.
    """
    names, length = ["('')"], 0
    for envelope in also:
        # No quote is left in it.
        names.append(f"('{quote_plus(envelope)}')")
        length += len(names[-1]) + 2
        if length > _LONGEST_NAMES:
            names.pop()
            break
    by_day: dict[str, list[str]] = {}
    for hour in hours:
        by_day.setdefault(f"{hour:%Y-%m-%d}", []).append(str(hour.hour))
    days = " OR ".join(
        f"({DAY} = '{day}' AND {HOUR} IN ({', '.join(found)}))" for day, found in by_day.items()
    )
    text = _text("replays").replace("{hours}", f"({days}){_of(source)}")
    return text.replace("{also}", ", ".join(names))


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def _of(source: str | None) -> str:
    if source is None:
        return ""
    if safe_source(source) != source:
        raise ValueError(f"{source!r:.60} is no name of a source")
    return f" AND {SOURCE} = '{source}'"
