"""What an object of the archive holds, in a few words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.archive.objects import ObjectRef
from pipeline.archive.reading import Unreadable, read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.archive.objects import Objects

#: Reasons are text of the archive, which is not trusted.
MOST_REASONS = 20


@dataclass
class Summary:
    """What an object holds.

    Parameters
    ----------
    events : int
        How many events.
    faults : int
        How many lines that cannot be read.
    gone : bool
        Whether the object is not there.
    sources, reasons : Counter[str]
        How often each occurs.
    explanation : str
        The first one: of an event, else of what is wrong with the object.
    cause : str
        What the function said that gave up a batch, where its log was read and says it.
    """

    events: int = 0
    faults: int = 0
    gone: bool = False
    sources: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    explanation: str = ""
    cause: str = ""

    @property
    def why(self) -> str:
        """The explanation, with the cause."""
        return ": ".join(filter(None, (self.explanation, self.cause)))


def summarize(objects: Objects, key: str) -> Summary:
    """Read one object through, in constant memory."""
    return _summarize(key, objects.chunks(key))


def summarize_all(objects: Objects, keys: Iterable[str]) -> Iterator[tuple[str, Summary]]:
    """Read objects through; the next ones are fetched meanwhile."""
    for ref, chunks in objects.ahead(ObjectRef(key, 0) for key in keys):
        yield ref.key, _summarize(ref.key, chunks)


def _summarize(key: str, chunks: Iterable[bytes]) -> Summary:
    summary = Summary()
    trouble = ""
    for _, item in read_object(key, chunks):
        if isinstance(item, Unreadable):
            summary.faults += 1
            summary.gone = summary.gone or item.gone
            trouble = trouble or item.explanation
            continue
        summary.events += 1
        summary.sources[item.source] += 1
        reason = item.reason or "-"
        known = reason in summary.reasons or len(summary.reasons) < MOST_REASONS
        summary.reasons[reason if known else "others"] += 1
        summary.explanation = summary.explanation or item.explanation
    summary.explanation = summary.explanation or trouble
    return summary
