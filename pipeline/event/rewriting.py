"""Does what a source's rules say to a body by its value, and writes it whole.

Where a sender writes JSON as orjson does, that gives the same bytes as to find each value in the
text and to put something else in its place, in half of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.index_limits import LONGEST_KEYWORD

if TYPE_CHECKING:
    from pipeline.event.rule_states import RuleState

_SPACE = b" \t\n\r"


class _OtherwiseError(Exception):
    """The text has to be looked at."""


def rewritten(text: bytes, body: Any, state: RuleState, levels: int) -> bytes | None:
    """Return the JSON that rules make of a body, or None where this way does not lead to it.

    Parameters
    ----------
    text : bytes
        The JSON of an object.
    body : Any
        The same, parsed.
    state : RuleState
        Where the rules begin.
    levels : int
        How deep they look.

    Returns
    -------
    bytes | None
        The same text where no rule has anything to do. None where the sender writes otherwise, so
        that bytes would change which no rule names; where a field gets a new name; where a text can
        be too long for MozDef's index.
    """
    if len(text) > LONGEST_KEYWORD or not isinstance(body, dict):
        return None
    # An object that becomes a text is written once, for the comparison as for its text.
    sent = dict(body)
    try:
        made = _object(body, state, levels, sent)
        if made == body:
            return text
        if orjson.dumps(sent) != text.strip(_SPACE):
            return None
        written = orjson.dumps(made)
    except (TypeError, _OtherwiseError):
        return None
    begin, end = text.index(b"{"), text.rindex(b"}") + 1
    return written if end - begin == len(text) else text[:begin] + written + text[end:]


def _object(
    value: dict[str, Any], state: RuleState, levels: int, sent: dict[str, Any] | None = None
) -> dict[str, Any]:
    made, after_of = {}, state.after
    for name, one in value.items():
        after = after_of(name)
        if after is None:
            made[name] = one
            continue
        kind = after.certain or after.kind_for(one)
        if kind == "rename":
            raise _OtherwiseError
        if kind == "stringify":
            if sent is not None and type(one) is dict:
                written = orjson.dumps(one)
                sent[name], made[name] = orjson.Fragment(written), written.decode()
            else:
                made[name] = _as_texts(one, levels - 1)
        elif kind != "drop":
            made[name] = _value(one, after, levels - 1) if after.goes_on else one
    return made


def _value(value: Any, state: RuleState, levels: int) -> Any:
    if levels > 0 and type(value) is dict:
        return _object(value, state, levels)
    if levels > 0 and type(value) is list:
        return [_value(one, state, levels - 1) for one in value]
    return value


def _as_texts(value: Any, levels: int) -> Any:
    """Return the text of an object or a flag; of a list, those of its elements."""
    if type(value) is list and levels > 0:
        return [_as_texts(one, levels - 1) for one in value]
    if isinstance(value, dict | list | bool):
        return orjson.dumps(value).decode()
    return value
