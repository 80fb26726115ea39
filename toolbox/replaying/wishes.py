"""From what an operator asks for to the filter of a replay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.archive.keys import ArchiveKind
from pipeline.event.outcomes import QUARANTINED, UNVERIFIED, Reason
from pipeline.replay.event_types import EventTypes
from pipeline.replay.filters import MOST_IDS, Filter, FilterError
from pipeline.replay.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

#: The audit's times are cut to milliseconds.
_MARGIN_SECONDS = 1.0


@dataclass(frozen=True)
class Wishes:
    """What the operator asked for, as it was written."""

    kinds: Sequence[str] = ()
    sources: Sequence[str] = ()
    event_types: Sequence[str] = ()
    reasons: Sequence[str] = ()
    ids: Sequence[str] = ()
    ids_file: Path | None = None
    missing: Path | None = None
    start: str | None = None
    end: str | None = None
    everything: bool = False

    @property
    def narrow(self) -> bool:
        """Whether it asks for less than everything; a kind alone does not."""
        texts = (self.sources, self.event_types, self.reasons, self.ids)
        return any(texts) or any((self.ids_file, self.missing, self.start, self.end))


def make_filter(wishes: Wishes, now: datetime) -> Filter:
    """Return the filter of what was asked for.

    The end is now unless an earlier one is asked for: a job must not read what it writes.

    Raises
    ------
    PipelineError
        When something has no sense, or nothing was asked for.
    """
    if not wishes.narrow and not wishes.everything:
        raise FilterError(
            "this would replay everything; narrow it with --source, --from, --to, --event-type, "
            "--reason, --id, --ids-file or --missing, or say --all"
        )
    unknown = sorted(set(wishes.reasons) - set(Reason))
    if unknown:
        raise FilterError(f"{unknown[0]!r}: no such reason; there are {', '.join(Reason)}")
    start = parse_time(wishes.start, now).timestamp() if wishes.start else None
    end = min(parse_time(wishes.end, now) if wishes.end else now, now).timestamp()
    if start is not None and start >= end:
        raise FilterError("--from is not before --to (or not in the past): no event can match")
    ids = set(wishes.ids)
    if wishes.ids_file:
        ids |= set(_lines(wishes.ids_file))
    wanted = Filter(
        kinds=_kinds(wishes),
        sources=frozenset(wishes.sources),
        event_types=frozenset(wishes.event_types),
        reasons=frozenset(wishes.reasons),
        start=start,
        end=end,
        ids=frozenset(ids) if wishes.ids or wishes.ids_file else None,
    )
    return _with_missing(wanted, wishes.missing) if wishes.missing else wanted


def _kinds(wishes: Wishes) -> frozenset[ArchiveKind]:
    if wishes.kinds:
        return frozenset(ArchiveKind(kind) for kind in wishes.kinds)
    if wishes.missing or wishes.ids or wishes.ids_file:
        return frozenset({ArchiveKind.RAW})
    if wishes.reasons:
        # What could not be verified lies in both, once there was much of it.
        kept_apart = QUARANTINED | UNVERIFIED
        quarantined = {ArchiveKind.QUARANTINE for one in wishes.reasons if one in kept_apart}
        rejected = {ArchiveKind.REJECTED for one in wishes.reasons if one not in QUARANTINED}
        return frozenset(quarantined | rejected)
    return frozenset({ArchiveKind.REJECTED, ArchiveKind.FAILED})


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if number > MOST_IDS:
                    raise FilterError(f"{path}: more than {MOST_IDS:,} lines; split it")
                if line.strip():
                    yield line.strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FilterError(f"{path}: cannot be read: {error}") from None


def _with_missing(wanted: Filter, path: Path) -> Filter:
    ids, sources, times = set(), set(), []
    for number, line in enumerate(_lines(path), 1):
        try:
            row = orjson.loads(line)
            ids.add(_text(row["id"]))
            sources.add(_text(row["source"]))
            times.append(_seconds(row["arrived"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise FilterError(
                f"{path}: line {number}: expected an object with 'id', 'source' and 'arrived', as "
                f"'mozdef-ef audit --missing-to' writes them ({error!r})"
            ) from None
    # The times narrow the listing; --from and --to, where given, narrow it further.
    first = min(times, default=0.0) - _MARGIN_SECONDS
    last = max(times, default=0.0) + _MARGIN_SECONDS
    return replace(
        wanted,
        ids=(wanted.ids or frozenset()) | ids,
        sources=wanted.sources or frozenset(sources),
        start=max(first, wanted.start or 0.0, 0.0),
        end=max(min(last, wanted.end or last), 0.0),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r:.40} is no text")
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    at = datetime.fromisoformat(_text(value))
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def event_types(
    wanted: Filter,
    folders: Callable[[], Mapping[str, Path]],
    say_broken: Callable[[Iterable[str]], None],
    deployed: Collection[str] = (),
) -> EventTypes:
    """Return the sources' rules for event types, where the filter asks for types.

    Parameters
    ----------
    folders : Callable[[], Mapping[str, Path]]
        Returns the folder of each source of this machine.
    say_broken : Callable[[Iterable[str]], None]
        Is told of the folders that were left out, in a line each.
    deployed : Collection[str]
        The names of the deployment's sources.

    Raises
    ------
    SourceError
        When the settings of a source that is asked for cannot be read: by its name, or where none
        is named, because the deployment has it.
    """
    if not wanted.event_types:
        return EventTypes()
    from settings.source.loader import read_source_settings
    from toolbox.sources.sound import read_sound
    from toolbox.sources.type_rules import type_rule

    found, broken = read_sound(folders(), read_source_settings, wanted.sources or deployed)
    # Of a folder that is left out, no event has a type.
    say_broken(broken)
    return EventTypes({name: type_rule(settings) for name, settings in found.items()})
