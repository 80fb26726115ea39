"""Lists `raw/` for a search: a source's day in one answer where that holds it, else each hour."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from pipeline.archive.keys import RAW_PREFIX, partition_of, source_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.archive.listing import ArchiveListing
    from pipeline.archive.objects import ObjectRef

T = TypeVar("T")
_AT_ONCE = 8


class RawListing:
    """Knows the objects of one day, the last that was asked for.

    Parameters
    ----------
    sources : Iterable[str]
        Whose objects.
    """

    def __init__(self, listing: ArchiveListing, sources: Iterable[str]) -> None:
        self._listing = listing
        self._folders = {name: RAW_PREFIX + source_folder(name) for name in sources}
        #: The objects by the folder of source and hour; of a source that has too many
        #: for one answer, nothing is known but which hours there are.
        self._known: dict[str, list[ObjectRef]] = {}
        self._large: set[str] = set()

    def hours(self, day: str) -> set[str]:
        """Return the hours of a day that have objects: `dt=YYYY-MM-DD/hr=HH/`.

        Parameters
        ----------
        day : str
            `dt=YYYY-MM-DD/`.
        """
        self._known = {}
        places = {folder + day: name for name, folder in self._folders.items()}
        listed = _at_once(self._listing.one_page, places)
        large = [place for place, refs in listed if refs is None]
        self._large = {places[place] for place in large}
        found = {
            day + name
            for _, names in _at_once(self._listing.folders, large)
            for name in names
        }  # fmt: skip
        for place, refs in listed:
            for ref in refs or ():
                partition = partition_of(ref.key)
                if partition is not None:
                    folder = place.removesuffix(day) + partition.hour
                    self._known.setdefault(folder, []).append(ref)
                    found.add(partition.hour)
        return found

    def objects(self, hour: str, sources: Iterable[str]) -> list[tuple[str, list[ObjectRef]]]:
        """Return the objects of an hour of that day, by the folder of each source.

        Parameters
        ----------
        sources : Iterable[str]
            Some of the listing's.
        """
        names = list(sources)
        large = [self._folders[one] + hour for one in names if one in self._large]
        known = [self._folders[one] + hour for one in names if one not in self._large]
        return [
            *_at_once(lambda folder: list(self._listing.objects(folder)), large),
            *((folder, self._known.get(folder, [])) for folder in known),
        ]


def _at_once(ask: Callable[[str], T], folders: Iterable[str]) -> list[tuple[str, T]]:
    """Ask for several folders at the same time."""
    asked = list(folders)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="listing") as pool:
        return list(zip(asked, pool.map(ask, asked), strict=True))
