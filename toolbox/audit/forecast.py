"""How much an audit will read, and how long that takes: told by a few hours of its span."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.archive.keys import LEDGER_PREFIX, RAW_PREFIX, hour_folders, source_folder

if TYPE_CHECKING:
    from pipeline.archive.listing import ArchiveListing
    from toolbox.audit.run import AuditSpan

_HOURS_ASKED = 4
#: For an object: boto3's GetObject, whose processor time is 0.95 ms without a network. For a packed
#: byte: its lines, read and joined. docs/performance.md, a month of archive.
_OBJECT_SECONDS, _BYTE_SECONDS = 0.001, 1.5e-7


class Forecast(NamedTuple):
    """What a span of the archive has, extrapolated from some of its hours.

    Parameters
    ----------
    size : int
        In bytes, packed.
    asked : int
        How many of its hours were listed.
    """

    hours: int
    asked: int
    objects: int
    size: int

    @property
    def seconds(self) -> float:
        """How long one process takes to read and join it."""
        return self.objects * _OBJECT_SECONDS + self.size * _BYTE_SECONDS

    def __str__(self) -> str:
        about = "" if self.asked == self.hours else "about "
        told = "" if self.asked == self.hours else f" (by the listing of {self.asked} of them)"
        return (
            f"{self.hours:,} hours, {about}{self.objects:,} objects, {self.size / 1e6:,.1f} MB"
            f"{told}: takes about {duration(self.seconds)}"
        )


def forecast(listing: ArchiveListing, span: AuditSpan) -> Forecast:
    """List some hours of a span, evenly spread.

    Raises
    ------
    ArchiveReadError
        When the archive cannot be listed.
    """
    hours = list(hour_folders(span.start, span.end))
    asked = hours[:: max(1, -(-len(hours) // _HOURS_ASKED))]
    names = [span.source] if span.source else listing.sources(RAW_PREFIX)
    objects = size = 0
    for hour in asked:
        for prefix in (LEDGER_PREFIX, *(RAW_PREFIX + source_folder(name) for name in names)):
            for ref in listing.objects(prefix + hour):
                objects, size = objects + 1, size + ref.size
    share = len(hours) / len(asked)
    return Forecast(len(hours), len(asked), round(objects * share), round(size * share))


def duration(seconds: float) -> str:
    """Return a length of time in the unit that a person would choose."""
    for size, unit in ((3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} s"
