"""MozDef's side of the contract, restated from its SQS worker's documented behaviour."""

from __future__ import annotations

from datetime import datetime
from typing import Any

#: Top-level keys that the worker honours; any other is dropped without a word.
HONOURED = {
    "message",
    "summary",
    "payload",
    "eventtime",
    "timestamp",
    "utctimestamp",
    "hostname",
    "source_host",
    "host",
    "tags",
    "severity",
    "level",
    "source",
    "facility",
    "pid",
    "processid",
    "processname",
    "sourcename",
    "pname",
    "path",
    "logger",
    "file",
    "type",
    "eventtype",
    "category",
    "fields",
    "details",
}
MANDATORY = {
    "severity",
    "timestamp",
    "utctimestamp",
    "processid",
    "processname",
    "hostname",
    "category",
    "source",
    "summary",
    "tags",
    "details",
}
SEVERITIES = {
    "DEBUG",
    "INFO",
    "NOTICE",
    "WARNING",
    "ERROR",
    "CRITICAL",
    "ALERT",
    "EMERGENCY",
}


def assert_contract(event: Any) -> None:
    """Check one message as MozDef's worker would take it."""
    assert isinstance(event, dict), "a list is dropped and deleted"
    assert set(event) <= HONOURED, f"dropped without a word: {set(event) - HONOURED}"
    assert set(event) >= MANDATORY, f"missing: {MANDATORY - set(event)}"
    for key in event:
        if key not in {"payload", "tags"}:
            assert key not in "payload", "the worker tests with 'in'"
            assert key not in "tags", "the worker tests with 'in'"
    assert isinstance(event["tags"], list), "a string kills the worker"
    assert all(isinstance(tag, str) and tag for tag in event["tags"])
    assert isinstance(event["details"], dict), "details are merged key by key"
    assert event["severity"] in SEVERITIES
    for key in ("timestamp", "utctimestamp"):
        when = datetime.fromisoformat(event[key])
        assert when.tzinfo is not None, "a time without an offset is guessed at"
        assert not event[key].isdigit(), "digits alone make it delete the event"
    utc_offset = datetime.fromisoformat(event["utctimestamp"]).utcoffset()
    assert utc_offset is not None
    assert not utc_offset, "utctimestamp is in UTC"
    for key in ("processname", "hostname", "category", "source", "summary", "processid"):
        assert isinstance(event[key], str)
        assert event[key], f"{key} is empty"
