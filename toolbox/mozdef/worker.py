"""From a message to the document that MozDef's worker would write, or to nothing.

Restated from the worker's behaviour (mozilla/MozDef, mq/esworker_sqs.py, mq/lib/plugins.py and
mozdef_util/mozdef_util/event.py).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from toolbox.mozdef.plugins import PLUGINS, PluginFailsError, words_of

#: Which keys of a message fill which field of the document; what is in no line is dropped.
_FIELDS = {
    **dict.fromkeys(("message", "summary"), "summary"),
    **dict.fromkeys(("hostname", "source_host", "host"), "hostname"),
    **dict.fromkeys(("syslogseverity", "severity", "severityvalue", "level"), "severity"),
    **dict.fromkeys(("facility", "syslogfacility", "source"), "source"),
    **dict.fromkeys(("pid", "processid"), "processid"),
    **dict.fromkeys(("pname", "processname", "sourcename"), "processname"),
    **dict.fromkeys(("path", "logger", "file"), "eventsource"),
    **dict.fromkeys(("type", "eventtype", "category"), "category"),
}
_TIMES = ("eventtime", "timestamp", "utctimestamp")
#: Stands for the time at which the worker reads the message.
READ_AT = "2026-11-23T20:00:00+00:00"
#: What the worker puts in the place of a field that an event has not.
UNKNOWN = "UNKNOWN"
_QUEUE = "queue"


@dataclass
class Handled:
    """What became of a message.

    Parameters
    ----------
    document : dict[str, Any] | None
        What the worker gives to its index; None where it gives nothing.
    why : str
        Why it gives nothing.
    rewritten_by : str
        The plugin that wrote the document anew; empty where none did.
    plugins : list[str]
        All that worked on it.
    """

    document: dict[str, Any] | None
    why: str = ""
    rewritten_by: str = ""
    plugins: list[str] = field(default_factory=list)

    @property
    def keeps_time(self) -> bool:
        """Whether the document has the event's own time."""
        return self.document is not None and self.document["utctimestamp"] != READ_AT


def handled(message: Any) -> Handled:
    """Take a message as the worker does."""
    if not isinstance(message, dict):
        return Handled(None, f"a message is an object, and this is a {type(message).__name__}")
    event: dict[str, Any] | None = _normalised(copy.deepcopy(message))
    result = Handled(None)
    for name, words, plugin in PLUGINS:
        if event is None or words.isdisjoint(words_of(event)):
            continue
        try:
            made = plugin(event)
        except PluginFailsError as error:
            result.why = f"MozDef's plugin {name} fails on it ({error})"
            return result
        if made is None:
            result.why = f"MozDef's plugin {name} discards it"
            return result
        result.plugins.append(name)
        if made is not event:
            result.rewritten_by = name
        event = made
    result.document = _completed(event or {}, result.plugins)
    return result


def _normalised(message: dict[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = {"receivedtimestamp": READ_AT, "details": {}, "type": "event"}
    tags = message.get("tags", [])
    event["tags"] = [*tags, _QUEUE] if isinstance(tags, list) else tags
    for key, value in message.items():
        name = key.removeprefix("@").lower()
        if target := _FIELDS.get(name):
            event[target] = value if isinstance(value, str) else str(value)
        if name in _TIMES:
            event["utctimestamp"] = event["timestamp"] = value
        if name in {"fields", "details"}:
            event["details"] |= value if isinstance(value, dict) else {"message": value}
    if "severity" in event:
        event["severity"] = event["severity"].upper()
    event.setdefault("utctimestamp", READ_AT)
    return event


def _completed(event: dict[str, Any], plugins: list[str]) -> dict[str, Any]:
    for name in ("receivedtimestamp", "utctimestamp", "timestamp"):
        event.setdefault(name, READ_AT)
    for name in (
        "mozdefhostname",
        "category",
        "hostname",
        "processid",
        "processname",
        "severity",
        "source",
        "summary",
    ):
        event.setdefault(name, UNKNOWN)
    event.setdefault("type", "event")
    event.setdefault("tags", [])
    event.setdefault("details", {})
    event["mozdef"] = {"plugins": list(plugins)}
    return event
