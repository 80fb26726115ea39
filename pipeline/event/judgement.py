"""What an event counts as in MozDef: its category and its severity, by its type and its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.event.fields import as_text, find

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from pipeline.event.fields import FieldPath

    #: The values that fit, as texts; the types; the category; the severity.
    Rule = tuple[
        tuple[tuple[FieldPath, tuple[str, ...]], ...], tuple[str, ...], str | None, str | None
    ]
    #: The same, made ready.
    _Work = tuple[
        tuple[tuple[FieldPath, Set[str]], ...], "TypeTable | None", str | None, str | None
    ]


_MOST_KNOWN, _LONGEST_KNOWN = 1_000, 200


class TypeTable:
    """What belongs to which type. `user.*` is for all that begin so, and the longest one counts."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self.entries = entries
        starts = sorted((key for key in entries if key.endswith("*")), key=len, reverse=True)
        self._starts = tuple((key[:-1], entries[key]) for key in starts)
        #: What was found for types that came: senders have few, and whoever makes some up fills it.
        self._known: dict[str, str | None] = {}

    def __repr__(self) -> str:
        return f"TypeTable({dict(sorted(self.entries.items()))!r})"

    def get(self, event_type: str) -> str | None:
        """Return what belongs to a type; None where nothing does."""
        found = self.entries.get(event_type)
        if found is not None or not self._starts:
            return found
        if event_type in self._known:
            return self._known[event_type]
        found = next((value for start, value in self._starts if event_type.startswith(start)), None)
        if len(event_type) <= _LONGEST_KNOWN:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[event_type] = found
        return found


class ValueRules:
    """Rules on an event's values, in order: the first that fits and names it says what it is."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._work = tuple(
            (
                tuple((path, frozenset(values)) for path, values in when),
                TypeTable(dict.fromkeys(types, "fits")) if types else None,
                category,
                severity,
            )
            for when, types, category, severity in rules
        )

        #: Those that can fit a type: most types have none.
        self._by_type: dict[str, tuple[_Work, ...]] = {}

    def __repr__(self) -> str:
        return f"ValueRules({self._rules!r})"

    def judge(self, event_type: str, body: Any) -> tuple[str | None, str | None]:
        """Return category and severity; None for what no rule says."""
        category = severity = None
        work = self._by_type.get(event_type)
        if work is None:
            work = self._of_type(event_type)
        for when, _, its_category, its_severity in work:
            if (category or not its_category) and (severity or not its_severity):
                continue  # It has nothing to say that is not said.
            if all(as_text(find(body, path)) in values for path, values in when):
                category = category or its_category
                severity = severity or its_severity
        return category, severity

    def _of_type(self, event_type: str) -> tuple[_Work, ...]:
        work = tuple(
            one for one in self._work if one[1] is None or one[1].get(event_type) is not None
        )
        if len(event_type) <= _LONGEST_KNOWN:
            if len(self._by_type) >= _MOST_KNOWN:
                self._by_type.clear()
            self._by_type[event_type] = work
        return work
