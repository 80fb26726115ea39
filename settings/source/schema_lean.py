"""Takes steps out of a validator's text that change nothing of what it says.

fastjsonschema makes a set of each object's keys, takes out those that it has met, and asks each
text for all kinds that it might have. Most schemas never ask what is left of the set, and most
values are texts. It writes one statement on a line, and no line break in one.
"""

from __future__ import annotations

import ast
import re
from collections import Counter

_FUNCTION = re.compile(r"^(?=def )", re.MULTILINE)
_KEYS = r"data\w*_keys"
_NAMES = re.compile(rf"\b{_KEYS}\b")
_MADE = re.compile(r"^( *)((data\w*)_keys) = set\(\3\.keys\(\)\)$", re.MULTILINE)
_LEFT = re.compile(rf'^( *)({_KEYS})\.remove\("(?:[^"\\]|\\.)*"\)$', re.MULTILINE)
_ASKED = re.compile(rf'^( *if "(?:[^"\\]|\\.)*" in )({_KEYS}):$', re.MULTILINE)
_MISSING = re.compile(r"^( *data\w* = )(set\((\[.+\])\) - (data\w*)\.keys\(\))$", re.MULTILINE)
_KIND = re.compile(
    r"^( *)if (not isinstance\((data\w*), \((?=\w+, )(?:\w+, )*str(?:, \w+)*\)\)"
    r"(?: or isinstance\(\3, bool\))?):$",
    re.MULTILINE,
)


def lean_code(code: str) -> str:
    """Return a validator's module with fewer steps: it raises the same errors for the same data."""
    return "".join(map(_lean_function, _FUNCTION.split(code)))


def _lean_function(code: str) -> str:
    made = {name: of for _, name, of in _MADE.findall(code)}
    understood = Counter(
        match[2] for rule in (_MADE, _LEFT, _ASKED) for match in rule.finditer(code)
    )
    # Each `properties` has a set of its own, so what it has taken out is not asked for again.
    names = Counter(_NAMES.findall(code))
    unasked = {name for name in made if names[name] == understood[name]}

    def passed(match: re.Match[str]) -> str:
        return f"{match[1]}pass" if match[2] in unasked else match[0]

    def asked(match: re.Match[str]) -> str:
        return f"{match[1]}{made[match[2]]}:" if match[2] in unasked else match[0]

    code = _ASKED.sub(asked, _LEFT.sub(passed, _MADE.sub(passed, code)))
    # What has the class is a text: no bool, and of that kind.
    code = _KIND.sub(r"\1if \3.__class__ is not str and (\2):", code)
    return _MISSING.sub(_missing, code)


def _missing(match: re.Match[str]) -> str:
    there = " and ".join(f"{key!r} in {match[4]}" for key in ast.literal_eval(match[3]))
    return f"{match[1]}() if {there} else {match[2]}"
