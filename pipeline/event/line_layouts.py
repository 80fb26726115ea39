"""Reads the metadata line of an envelope whose names were met before: by one pattern, at once.

The door writes the same names in the same order for all requests of a source, but for headers that
few of them have.
"""

from __future__ import annotations

import re

#: The names that each line begins with.
_FIRST = ["v", "id", "ts", "source", "ip"]
#: Patterns by source and number of names: of so many of these, and so many of each.
_MOST, _MOST_ALIKE = 200, 4
#: In characters, of all names of a line.
_LONGEST_NAMES = 2_000


class LineLayouts:
    """What lines look like that have the fields of an event and its headers, and no replay's."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], list[tuple[re.Pattern[str], tuple[str, ...]]]] = {}
        self._met: set[str] = set()

    def values_in(self, line: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """Return the names of a line's headers, and its values as they stand; None where unknown.

        The values are those of id, time, source, address, key (empty where there is none) and of
        each header. The time is a number, and neither id nor source is empty.
        """
        for pattern, headers in self._known.get(_kind_of(line), ()):
            found = pattern.fullmatch(line)
            if found is not None:
                return headers, found.groups("")
        return None

    def learn(self, line: str, names: list[str], headers: tuple[str, ...]) -> None:
        """Keep the names of a line.

        Parameters
        ----------
        names : list[str]
            All of the line, each once.
        headers : tuple[str, ...]
            What those of headers, which are the last ones, are called.
        """
        own, kind = names[: -len(headers) or None], _kind_of(line)
        known = self._known.get(kind, [])
        if own[:5] != _FIRST or own[5:] not in ([], ["key"]) or len(known) >= _MOST_ALIKE:
            return
        if len(self._known) >= _MOST or sum(map(len, names)) > _LONGEST_NAMES:
            return
        if (met := "&".join(names)) not in self._met:
            # A pattern takes as long as a hundred lines without: what comes once is not worth it.
            if len(self._met) < _MOST:
                self._met.add(met)
            return
        key = "&key=([^&]*)" if own[5:] else "()"
        rest = "".join([f"&{re.escape(name)}=([^&]*)" for name in names[len(own) :]])
        pattern = re.compile(
            r"v=1&id=([^&]+)&ts=([0-9]{1,14})&source=([^&%+]+)&ip=([^&]*)" + key + rest
        )
        if pattern.fullmatch(line):
            self._known[kind] = [*known, (pattern, headers)]


def _kind_of(line: str) -> tuple[str, int]:
    at = line.find("&source=")
    return line[at : line.find("&", at + 1)], line.count("&")
