"""Changes what a source's rules name in the JSON of its events, and no byte beside it.

MozDef writes all sources into one index, where a field is either an object or not. A rule says what
becomes of a field that is now this and now that, or whose names have no end: `stringify` makes a
text of it, `drop` leaves it out, `rename` gives it another name, `keep` leaves it as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.event.elements import name_of, opens_object, spans_of
from pipeline.event.index_limits import MOST_LEVELS, NewNames, as_keyword, with_edits
from pipeline.event.known_members import known_members
from pipeline.event.rewriting import rewritten
from pipeline.event.rule_states import RuleStates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.elements import Member
    from pipeline.event.index_limits import Edit
    from pipeline.event.rule_states import Rule, RulePlan, RuleState

_NOTHING = object()
_OBJECT = ord("{")


class BodyRules:
    """The rules of a source.

    Parameters
    ----------
    plan : RulePlan
        Made at build (`settings.source.body`). Of several that meet one value, the first counts.
    """

    def __init__(self, plan: RulePlan) -> None:
        self._plan = plan
        self._start = RuleStates(plan).of({(rule, 0) for rule in range(len(plan))})
        kept = {path[0] for path, kind, _, _ in plan if path[1:] or kind in {"keep", "rename"}}
        # Where every other container is a text, only these can have fields below them.
        flat = (("*",), "stringify", "", "") in plan and not any("*" in name for name in kept)
        self._open = kept if flat else None

    def __repr__(self) -> str:
        return f"BodyRules({self._plan!r})"

    def applied(self, text: bytes, body: Any) -> bytes:
        """Return an event's JSON as the rules want it.

        Parameters
        ----------
        text : bytes
            The JSON of an object, which is sound.
        body : Any
            The same, parsed.
        """
        start = self._start
        if start is None:
            return text
        if start.rules and _changes(start, body):
            return as_keyword(text)  # of the body itself
        whole = rewritten(text, body, start, MOST_LEVELS)
        if whole is not None:
            return whole
        if not _touches(start, body, MOST_LEVELS):
            return text
        span = text.index(b"{"), len(text.rstrip())
        return with_edits(text, _in_object(text, span, body, start, MOST_LEVELS))

    def left(self, body: Any) -> Any:
        """Return of a body, parsed, what may have names and levels in the text that is made."""
        names = self._open
        if names is None:
            return body
        return dict.fromkeys(body) | {name: body[name] for name in names if name in body}


def _touches(state: RuleState, value: Any, levels: int) -> bool:
    """Tell whether a rule has something to do: most events have not what conflicts."""
    if isinstance(value, list):
        return levels > 0 and any(_touches(state, one, levels - 1) for one in value)
    if not isinstance(value, dict) or not levels:
        return False
    names = state.spelled()
    for name in value if names is None else names:
        one = value.get(name, _NOTHING)
        after = None if one is _NOTHING else state.after(name)
        if after is None:
            continue
        if after.rules and _changes(after, one):
            return True
        if after.goes_on and isinstance(one, dict | list) and _touches(after, one, levels - 1):
            return True
    return False


def _changes(state: RuleState, value: Any) -> bool:
    kind = state.kind_for(value)
    return kind in {"drop", "rename"} or (
        kind == "stringify" and isinstance(value, dict | bool | list)
    )


def _in_object(
    text: bytes, span: tuple[int, int], value: Any, state: RuleState, levels: int
) -> Iterator[Edit]:
    members = known_members(text, *span, value)
    # Parsed, it has each name once.
    once = isinstance(value, dict) and len(value) == len(members)
    decided = {} if once else _by_last(text, members, state)
    kept, names = False, None
    for number, (key, key_end, start, end) in enumerate(members):
        name = name_of(text[key:key_end]) or ""
        after, rule = state.after(name), None
        if after is not None:
            rule = decided[name] if name in decided else _rule_for(after, text, start, end)
        if rule is not None and rule[1] == "drop":
            # With the comma before it; with the one after it where no field is before it.
            if kept:
                yield members[number - 1][3], end, b""
            else:
                yield key, members[number + 1][0] if number + 1 < len(members) else end, b""
            continue
        kept = True
        if after is None:
            continue
        if rule is not None and rule[1] == "rename":
            names = names or NewNames(text, members)
            yield key, key_end, names.of(name, rule[2])
        if not after.goes_on and (rule is None or rule[1] != "stringify"):
            continue
        if levels > 1 and text[start] == _OBJECT and (rule is None or rule[1] != "stringify"):
            inner = value.get(name) if isinstance(value, dict) else None
            yield from _in_object(text, (start, end), inner, after, levels - 1)
        else:
            yield from _in_value(text, (start, end), after, rule, levels - 1)


def _by_last(text: bytes, members: list[Member], state: RuleState) -> dict[str, Rule | None]:
    """Return the rules by name for an object that has a name twice; nothing for others.

    The last is the value for all who parse it, the schema and MozDef among them. To judge each by
    itself would drop that one and leave another in its place.
    """
    last = {name_of(text[key:key_end]) or "": (at, end) for key, key_end, at, end in members}
    if len(last) == len(members):
        return {}
    after = {name: state.after(name) for name in last}
    return {name: _rule_for(one, text, *last[name]) for name, one in after.items() if one}


def _in_value(
    text: bytes, span: tuple[int, int], state: RuleState, rule: Rule | None, levels: int
) -> Iterator[Edit]:
    start, end = span
    opening = text[start : start + 1]
    if rule is not None and rule[1] == "stringify":
        if opening == b"{":
            yield start, end, as_keyword(text[start:end])
        elif opening in {b"t", b"f"}:
            yield start, end, b'"' + text[start:end] + b'"'
        elif opening == b"[" and levels <= 0:
            # As what is nested too deep is fitted: that may not look where all becomes a text.
            yield start, end, as_keyword(text[start:end])
        elif opening == b"[":
            yield from _in_list(text, start, state, rule, levels)
    elif levels > 0 and opening == b"{":
        yield from _in_object(text, span, None, state, levels)
    elif opening == b"[":
        yield from _in_list(text, start, state, None, levels)


def _in_list(
    text: bytes, start: int, state: RuleState, rule: Rule | None, levels: int
) -> Iterator[Edit]:
    if levels <= 0:
        return
    for span in spans_of(text, start):
        yield from _in_value(text, span, state, rule, levels - 1)


def _rule_for(state: RuleState, text: bytes, start: int, end: int) -> Rule | None:
    for rule in state.rules:
        if not rule[3] or (rule[3] == "objects") == opens_object(text, start, end):
            return rule
    return None
