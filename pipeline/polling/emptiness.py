"""Tells an answer that has nothing new from one that is no page: APIs say both with 200.

Nothing new is said by an empty list, by null or `{}` in its place or in that of what holds it, and
by leaving its key out. The last looks like any other object, so it is taken for nothing new only
where something vouches for the answer: the key of its cursor, a word of success, or the setting
`empty_when_absent`. Where an object says that there was an error, or has events under another key,
nothing is taken for nothing new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import find, path_text
from pipeline.polling.errors import PollError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.fields import FieldPath

_FALSE = {"", "0", "false", "none", "null", "ok", "no"}
_CODE_KEYS = {"code", "status_code", "statuscode", "http_status", "status"}
_STATUS_KEYS = {"stat", "status", "result", "state", "outcome"}
_FAILURES = {"fail", "failed", "failure", "error", "ko", "denied", "unauthorized", "forbidden"}
_SUCCESS_KEYS = {"ok", "success", "successful", "succeeded"}
_SUCCESSES = {"ok", "success", "successful", "succeeded", "complete", "completed"}
_FAULT_KEYS = {"fault", "faults", "exception", "exceptions"}


@dataclass(frozen=True)
class PageMarks:
    """What an answer of a feed has beside its events.

    Parameters
    ----------
    keys : tuple[FieldPath, ...]
        Paths of which one, where it is there, shows that the answer is a page.
    absent_is_empty : bool
        Whether an object without the list's key is a page at any rate.
    """

    keys: tuple[FieldPath, ...] = ()
    absent_is_empty: bool = False


def nothing_new(document: Any, path: FieldPath, marks: PageMarks) -> bool:
    """Tell whether an answer without events says that there are none.

    Parameters
    ----------
    document : Any
        The answer, with numbers as text.
    path : FieldPath
        Where the list of events should be.

    Raises
    ------
    PollError
        When it says that there was an error, or has a list with something under another key.
    """
    for each in _objects(document, path):
        for key, value in each.items():
            if _says_error(key.lower(), value):
                raise PollError(f"the answer says that there was an error: {key[:40]!r} is set")
    value = document
    for depth, part in enumerate(path):
        if not isinstance(value, dict) or not value:
            break
        if part not in value:
            _no_other_list(value, path[: depth + 1])
            return _is_vouched_for(document, marks)
        value = value[part]
    # Some write an empty text in the place of an object that has nothing.
    return value in (None, {}, []) or (value == "" and _is_vouched_for(document, marks))


def _objects(document: Any, path: FieldPath) -> Iterator[dict[str, Any]]:
    """Return the answer, what is right below it, and what is on the way to the list."""
    members = document.values() if isinstance(document, dict) else ()
    way = (find(document, path[:depth]) for depth in range(2, len(path) + 1))
    for each in (document, *members, *way):
        if isinstance(each, dict):
            yield each


def _says_error(key: str, value: Any) -> bool:
    word = _word(value)
    if key.startswith(("error", "err_")) or key in _FAULT_KEYS or key == "err":
        # An empty object, list or text, 0, null and false are the absence of one.
        return bool(value) if word is None else word not in _FALSE
    if key in _CODE_KEYS and word is not None and len(word) == 3 and word.isdigit():
        return word >= "400"
    if key in _STATUS_KEYS:
        return word in _FAILURES
    return key in _SUCCESS_KEYS and word in {"false", "0", "no"}


def _no_other_list(value: dict[str, Any], path: FieldPath) -> None:
    for key, other in value.items():
        if isinstance(other, list) and any(isinstance(each, dict) for each in other):
            raise PollError(
                f"the answer has nothing at {path_text(path)}, and a list with something at "
                f"{key[:40]!r}: is 'events' of the feed still right?"
            )


def _is_vouched_for(document: Any, marks: PageMarks) -> bool:
    if marks.absent_is_empty or not isinstance(document, dict):
        return marks.absent_is_empty
    for path in marks.keys:
        holder = find(document, path[:-1])
        if isinstance(holder, dict) and path[-1:] and path[-1] in holder:
            return True
    words = {key.lower(): _word(value) for key, value in document.items()}
    return any(words.get(key) in _SUCCESSES for key in _STATUS_KEYS) or any(
        words.get(key) in {"true", "1", "yes"} for key in _SUCCESS_KEYS
    )


def _word(value: Any) -> str | None:
    """Return a scalar in lower case; None for objects and lists."""
    if value is None or isinstance(value, bool | str):
        return str(value).strip().lower()
    return None
