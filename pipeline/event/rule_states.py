"""Where in a source's rules on a body one is, on the way down into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.event.fields import FieldPath

    #: Path, kind, new name, and which values are meant.
    Rule = tuple[FieldPath, str, str, str]
    RulePlan = tuple[Rule, ...]
    #: A rule by its number, and how many parts of its path are behind.
    Place = tuple[int, int]

_ANY_DEPTH = "**"
_NOTHING = object()
_MOST_SEEN, _LONGEST_SEEN = 500, 60


class RuleState:
    """Where in the rules' paths one is: which rules end here, and what goes on from here.

    What follows a name that no path spells is kept for so many short ones: a sender chooses them.
    `certain` is the kind of the rule that counts for any value here; empty where the value tells.
    """

    __slots__ = ("_exact", "_globs", "_known", "_states", "certain", "goes_on", "rules")

    def __init__(self, plan: RulePlan, places: frozenset[Place], states: RuleStates) -> None:
        self._states = states
        states.known[places] = self
        self.rules = tuple(plan[rule] for rule, at in sorted(places) if at == len(plan[rule][0]))
        self.certain = self.rules[0][1] if self.rules and not self.rules[0][3] else ""
        ahead = [(rule, at, plan[rule][0][at]) for rule, at in places if at < len(plan[rule][0])]
        self.goes_on = bool(ahead)
        self._globs = [
            (None, (rule, at)) if part == _ANY_DEPTH else (_glob(part), (rule, at + 1))
            for rule, at, part in ahead
            if "*" in part
        ]
        self._exact = {
            name: states.of(
                {(rule, at + 1) for rule, at, part in ahead if part == name} | self._matching(name)
            )
            for name in {part for _, _, part in ahead if "*" not in part}
        }
        self._known = dict(self._exact)

    def after(self, name: str) -> RuleState | None:
        """Return where one is below a field of this name; None where no rule looks."""
        found: Any = self._known.get(name, _NOTHING)
        if found is not _NOTHING:
            return found  # type: ignore[no-any-return]
        if not self._globs:
            return None
        found = self._states.of(self._matching(name))
        if len(self._known) < len(self._exact) + _MOST_SEEN and len(name) <= _LONGEST_SEEN:
            self._known[name] = found
        return found  # type: ignore[no-any-return]

    def spelled(self) -> Iterable[str] | None:
        """Return the names that matter here; None where any may."""
        return None if self._globs else self._exact

    def rule_for(self, value: Any) -> Rule | None:
        """Return the rule that counts for a value here, parsed; None for none."""
        for rule in self.rules:
            only = rule[3]
            if not only or (only == "objects") == _has_object(value):
                return rule
        return None

    def kind_for(self, value: Any) -> str:
        """Return its kind; empty for none."""
        rule = self.rule_for(value)
        return "" if rule is None else rule[1]

    def _matching(self, name: str) -> set[Place]:
        return {place for glob, place in self._globs if glob is None or glob(name)}


class RuleStates:
    """Those that were needed so far, each once."""

    def __init__(self, plan: RulePlan) -> None:
        self._plan = plan
        self.known: dict[frozenset[Place], RuleState] = {}

    def of(self, places: set[Place]) -> RuleState | None:
        """Return where all of these places are one."""
        # `**` may stand for nothing.
        for rule, at in sorted(places):
            path, further = self._plan[rule][0], at
            while further < len(path) and path[further] == _ANY_DEPTH:
                further += 1
                places.add((rule, further))
        key = frozenset(places)
        if not key:
            return None
        return self.known.get(key) or RuleState(self._plan, key, self)


def _glob(part: str) -> Callable[[str], bool]:
    """Return what tells whether a name matches; its time grows with the name, whatever that is.

    The first place that a piece is found at leaves the most for those behind it, so there is no
    need to go back, as a regular expression does.
    """
    first, *between, last = part.split("*")

    def matches(name: str) -> bool:
        at, end = len(first), len(name) - len(last)
        if at > end or not name.startswith(first) or not name.endswith(last):
            return False
        for piece in between:
            at = name.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True

    return matches


def _has_object(value: Any) -> bool:
    """Tell whether this is an object, or a list with one in it, however deep."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            return True
        if isinstance(one, list):
            left += [inner for inner in one if isinstance(inner, dict | list)]
    return False
