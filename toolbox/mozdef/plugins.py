"""What MozDef's plugins make of an event, restated from what they do (mozilla/MozDef, mq/plugins).

Those that meet what this framework sends: two choose events by a tag or a hostname and write
documents of their own, two work on addresses, one shortens texts.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    #: Returns the event as it goes on; None where it is discarded.
    Plugin = Callable[[dict[str, Any]], dict[str, Any] | None]

_HERE = Path(__file__).parent
_LONGEST = 3_000
_PAYLOAD = ("details", "payload")
_OBJECT = (*_PAYLOAD, "object")
#: What the address of a city's database holds (`mozdef_util/geo_ip.py`).
_LOCATION: dict[str, Any] = {
    "city": "Examplecity",
    "continent": "EU",
    "country_code": "XX",
    "country_name": "Example",
    "dma_code": None,
    "latitude": 52.5,
    "longitude": 13.25,
    "metro_code": "Examplecity, EX",
    "postal_code": "10115",
    "region_code": "EX",
    "time_zone": "Europe/Berlin",
}


class PluginFailsError(PipelineError):
    """A plugin ends with an exception: the worker logs it and deletes the message."""


@cache
def github_mapping() -> Mapping[str, Mapping[str, str]]:
    """Return the types that the GitHub plugin keeps, each with its fields and their places."""
    known = yaml.safe_load((_HERE / "github.yaml").read_text(encoding="utf-8"))
    return {
        kind: {
            field: place
            for fields in (*(known["groups"][group] for group in one["groups"]), one["fields"])
            for field, place in fields.items()
        }
        for kind, one in known["types"].items()
    }


@cache
def _zoom_mapping() -> Mapping[str, str]:
    known: Mapping[str, str] = yaml.safe_load((_HERE / "zoom.yaml").read_text(encoding="utf-8"))
    return known


def _found(value: Any, place: str) -> Any:
    for part in place.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _has(value: Any, *path: str) -> bool:
    """Look for a key as the plugins do: with `in`, whatever it is that they look into."""
    for part in path:
        if value is None:
            return False
        if not isinstance(value, dict | list | str):
            raise PluginFailsError(
                f"{'.'.join(path)}: looks for {part} in a {type(value).__name__}"
            )
        if part == path[-1] or part not in value:
            return part in value
        value = _at(value, part)
    return False


def _at(value: Any, *path: str) -> Any:
    for part in path:
        if not isinstance(value, dict):
            raise PluginFailsError(f"{'.'.join(path)}: {part} of a {type(value).__name__}")
        value = value[part]
    return value


def zoom_fixup(event: dict[str, Any]) -> dict[str, Any] | None:
    """Take what has the host `zoom_host` and the tag `zoom`; severity and time are dropped."""
    if "zoom" not in event.get("tags", ["zoom"]):
        return event
    details: dict[str, Any] = {}
    details["event"] = (
        _at(event, "details", "event") if _has(event, "details", "event") else "UNKNOWN"
    )
    if _has(event, *_PAYLOAD, "account_id"):
        details["account_id"] = _at(event, *_PAYLOAD, "account_id")
    elif _has(event, *_OBJECT, "account_id"):
        details["account_id"] = _at(event, *_OBJECT, "account_id")
    summary = f"zoom: {details['event']}"
    if _has(event, *_OBJECT, "participant", "user_name"):
        summary += f" triggered by user {_at(event, *_OBJECT, 'participant', 'user_name')}"
    elif _has(event, *_PAYLOAD, "operator"):
        summary += f" triggered by user {_at(event, *_PAYLOAD, 'operator')}"
    for field, place in _zoom_mapping().items():
        value = _found(event["details"], place)
        if value is not None:
            details[field] = value
    _zoom_times(event, details)
    return {
        "category": "zoom",
        "eventsource": "MozDef-EF-zoom",
        "source": "api_aws_lambda",
        "hostname": "zoom_host",
        "severity": "info",
        "processname": "zoom_webhook_api",
        **({"tags": event["tags"]} if "tags" in event else {}),
        "summary": summary,
        "details": details,
    }


#: Where a time is, and the field that it becomes; an empty one takes the field away.
_ZOOM_TIMES = (
    (("object", "start_time"), "start_time"),
    (("old_object", "start_time"), "original_sched_start_time"),
    (("object", "recording_files", "recording_end"), "recording_files_end"),
    (("object", "recording_file", "recording_end"), "recording_file_end"),
)


def _zoom_times(event: dict[str, Any], details: dict[str, Any]) -> None:
    for place, field in _ZOOM_TIMES:
        if _has(event, *_PAYLOAD, *place):
            value = _at(event, *_PAYLOAD, *place)
            if value != "":
                details[field] = value
            elif field in details:
                del details[field]
            else:
                raise PluginFailsError(f"{field}: takes away what is not there")
    if _has(event, *_OBJECT, "duration"):
        details["duration"] = _at(event, *_OBJECT, "duration")
    if _has(event, *_PAYLOAD, "old_object", "duration"):
        details["original_sched_duration"] = _at(event, *_PAYLOAD, "old_object", "duration")


def github_webhooks(event: dict[str, Any]) -> dict[str, Any] | None:
    """Take what has the tag `githubeventsqs`; a type without a mapping is discarded."""
    if "githubeventsqs" not in event.get("tags", ()):
        return event
    kind = event["details"].get("event", "UNKNOWN")
    request = event["details"].get("request_id", "UNKNOWN")
    mapping = github_mapping().get(kind) if isinstance(kind, str) else None
    if mapping is None:
        return None
    details: dict[str, Any] = {"request_id": request}
    for field, place in mapping.items():
        value = request if place == "$request_id" else _found(event["details"].get("body"), place)
        if value is not None:
            details[field] = value
    found: dict[str, Any] = {
        "category": "github",
        "tags": ["github", "webhook"],
        "eventsource": "githubeventsqs",
        "source": kind,
        "summary": _github_summary(kind, details),
        "details": details,
    }
    if "commit_ts" in details:
        found["timestamp"] = found["utctimestamp"] = details["commit_ts"]
    return found


#: What the summary says of which fields, in order.
_GITHUB_WORDS = (
    ("status", "{} "),
    ("action", "{} "),
    ("ref_type", "{} "),
    ("repo_name", "on repo: {} "),
    ("alert_note", "for: {}"),
    ("alert_package", "package: {} "),
    ("team_name", "team: {} "),
    ("blocked_user_login", "user: {} "),
    ("org_login", "in org: {} "),
    ("username", "triggered by user: {}"),
)


def _github_summary(kind: str, details: Mapping[str, Any]) -> str:
    said = [text.format(details[field]) for field, text in _GITHUB_WORDS if field in details]
    return f"github: {kind}: {''.join(said)}"


def ip_fixup(event: dict[str, Any]) -> dict[str, Any] | None:
    """Put 0.0.0.0 for an IPv6 address, which gets a field of its own; a name is no address."""
    details = event.get("details", {})
    if "http_x_forwarded_for" in details:
        _forwarded(details)
    for side in ("source", "destination"):
        field = f"{side}ipaddress"
        if field not in details:
            continue
        value = details[field]
        version = _version(value)
        if version == 6:
            details[f"{side}ipv6address"], details[field] = value, "0.0.0.0"  # noqa: S104 - as it does
            event.setdefault("errors", []).append(
                f"plugin: ipFixUp.py error: {field} is ipv6, moved"
            )
        elif version == 4:
            details[f"{side}ipv4address"] = value
        else:
            details[side], details[field] = value, None
    for place, side in (
        ("src", "source"),
        ("srcip", "source"),
        ("dst", "destination"),
        ("dstip", "destination"),
    ):
        version = _version(details.get(place))
        if version == 4:
            details[f"{side}ipaddress"] = details[f"{side}ipv4address"] = details[place]
        elif version == 6:
            details[f"{side}ipv6address"] = details[place]
    return event


def _forwarded(details: dict[str, Any]) -> None:
    said = details["http_x_forwarded_for"]
    if not isinstance(said, str):
        raise PluginFailsError(f"http_x_forwarded_for: splits a {type(said).__name__}")
    first = said.split(",")[0]
    version = _version(first)
    if version == 4:
        details.setdefault("sourceipaddress", first)
    if version:
        details.setdefault(f"sourceipv{version}address", first)


def geo_ip(event: dict[str, Any]) -> dict[str, Any] | None:
    """Say where a public address is; with a database of cities, which MozDef may lack."""
    details = event.get("details", {})
    for side in ("source", "destination"):
        field = f"{side}ipaddress"
        if field not in details:
            continue
        version = _version(details[field])
        if not version:
            details[field] = "0.0.0.0"  # noqa: S104 - as it does
        elif _is_public(details[field]):
            details[f"{side}ipgeolocation"] = dict(_LOCATION)
            details[f"{side}ipgeopoint"] = "{latitude},{longitude}".format_map(_LOCATION)
    return event


def large_strings(event: dict[str, Any]) -> dict[str, Any] | None:
    """Shorten some texts of what the GitHub plugin made."""
    details = event.get("details", {})
    for where, names in ((details, ("message", "cmdline", "pr_body")), (event, ("summary",))):
        for name in names:
            if isinstance(where.get(name), str) and len(where[name]) > _LONGEST:
                where[name] = where[name][:_LONGEST] + " ..."
    return event


def _version(value: Any) -> int:
    """Return which IP an address is of, as the plugins see it; 0 for none.

    They take for IPv4 what a C library does: `1.2.3`, and numbers with a zero before them. The
    index does not.
    """
    if not isinstance(value, str):
        return 0
    try:
        if ":" in value:
            socket.inet_pton(socket.AF_INET6, value)
            return 6
        socket.inet_aton(value)
    except (OSError, ValueError):
        return 0
    return 4


def _is_public(address: str) -> bool:
    if ":" not in address:
        numbers = [int(part) for part in address.split(".") if part.isdigit()]
        address = ".".join(map(str, [*numbers, 0, 0, 0][:4]))
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


_ADDRESSES = frozenset({"sourceipaddress", "destinationipaddress"})
#: In their order: what any key or value of the event has to be, in lower case.
PLUGINS: tuple[tuple[str, frozenset[str], Plugin], ...] = (
    ("zoom_fixup", frozenset({"zoom_host"}), zoom_fixup),
    ("github_webhooks", frozenset({"githubeventsqs"}), github_webhooks),
    ("ipFixup", _ADDRESSES | {"src", "dst", "srcip", "dstip", "http_x_forwarded_for"}, ip_fixup),
    ("geoip", _ADDRESSES, geo_ip),
    ("large_strings", frozenset({"githubeventsqs"}), large_strings),
)


def words_of(value: Any) -> Iterator[str]:
    """Return the keys and texts of an event, in lower case: by these plugins choose."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield key.lower()
            yield from words_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from words_of(one)
    elif isinstance(value, str):
        yield value.lower()
