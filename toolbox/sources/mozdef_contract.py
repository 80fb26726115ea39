"""What MozDef's SQS worker takes, restated from its documented behaviour.

The worker drops what it cannot use without a word, so a message that breaks a rule here is lost
(MozDef, `mq/esworker_sqs.py` and `docs/source/usage/json_format.rst`).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Top-level keys that the worker honours; any other is dropped without a word.
HONOURED = frozenset(
    {
        "category",
        "details",
        "eventtime",
        "eventtype",
        "facility",
        "fields",
        "file",
        "host",
        "hostname",
        "level",
        "logger",
        "message",
        "path",
        "payload",
        "pid",
        "pname",
        "processid",
        "processname",
        "severity",
        "source",
        "source_host",
        "sourcename",
        "summary",
        "tags",
        "timestamp",
        "type",
        "utctimestamp",
    }
)
MANDATORY = frozenset(
    {
        "category",
        "details",
        "hostname",
        "processid",
        "processname",
        "severity",
        "source",
        "summary",
        "tags",
        "timestamp",
        "utctimestamp",
    }
)
SEVERITIES = frozenset(
    {
        "ALERT",
        "CRITICAL",
        "DEBUG",
        "EMERGENCY",
        "ERROR",
        "INFO",
        "NOTICE",
        "WARNING",
    }
)
_TEXTS = ("processname", "hostname", "category", "source", "summary", "processid")


def violations(event: Any) -> list[str]:
    """Return each rule that a message breaks; none where MozDef's worker takes it as it is."""
    if not isinstance(event, dict):
        return [f"the message is no object but {type(event).__name__}: it is deleted"]
    return [*_keys(event), *_values(event), *_times(event)]


def _keys(event: dict[str, Any]) -> Iterator[str]:
    if unknown := sorted(set(event) - HONOURED):
        yield f"keys that are dropped without a word: {', '.join(unknown)}"
    if missing := sorted(MANDATORY - set(event)):
        yield f"keys that are missing: {', '.join(missing)}"
    for key in event:
        if any(key in name and key != name for name in ("payload", "tags")):
            yield f"{key}: part of the name of another key, which the worker mistakes it for"


def _values(event: dict[str, Any]) -> Iterator[str]:
    tags = event.get("tags")
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
        yield "tags: no list of texts: it kills the worker"
    if not isinstance(event.get("details"), dict):
        yield "details: no object: they are merged key by key"
    if event.get("severity") not in SEVERITIES:
        yield "severity: none that MozDef knows"
    for key in _TEXTS:
        if not (isinstance(event.get(key), str) and event[key]):
            yield f"{key}: empty, or no text"


def _times(event: dict[str, Any]) -> Iterator[str]:
    for key in ("timestamp", "utctimestamp"):
        try:
            offset = datetime.fromisoformat(event.get(key, "")).utcoffset()
        except (TypeError, ValueError):
            yield f"{key}: no ISO 8601 time"
            continue
        if str(event[key]).isdigit():
            yield f"{key}: digits alone, for which the worker deletes the event"
        if offset is None:
            yield f"{key}: no offset, which the worker then guesses"
        elif offset and key == "utctimestamp":
            yield f"{key}: not in UTC"
