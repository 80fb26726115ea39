"""Composes the `source.yaml` of a new source, with comments that say what to check."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

import yaml

from toolbox.sources.captured.from_headers import is_of_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from settings.source.loader import LoadedSource
    from toolbox.sources.inference import Found, Proposal

_COPIED = ("ingest", "authentication", "handshake", "poll", "content_types", "form_field", "body",
           "skip", "headers", "ignore_types", "deduplication_hours",
           "allowed_networks")  # fmt: skip
_SHOWN = 4


@dataclass(frozen=True)
class Choices:
    """What the samples cannot tell.

    Parameters
    ----------
    authentication : Literal["token", "hmac"]
        How the sender proves who it is.
    header, prefix : str
        The header that holds the token or the signature, and what stands before it there.
    headers : Mapping[str, str]
        Headers that come with each sample.
    captured : Mapping[str, Any]
        Settings that caught requests say, in the place of `authentication` and `header`.
    evidence : Mapping[str, str]
        Why they are so, by setting.
    """

    title: str
    authentication: Literal["token", "hmac"] = "token"
    header: str = ""
    prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    captured: Mapping[str, Any] = field(default_factory=dict)
    evidence: Mapping[str, str] = field(default_factory=dict)


def make_settings(
    choices: Choices, proposal: Proposal, like: LoadedSource | None
) -> dict[str, Any]:
    """Return the settings of a new source, but for its schemas.

    Parameters
    ----------
    choices : Choices
        What the samples cannot tell.
    """
    version = like.settings.version if like else 2
    settings: dict[str, Any] = {"version": version, "title": choices.title}
    if like is None:
        settings |= choices.captured or _authentication(choices)
    else:
        plain = like.settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
        settings |= {key: plain[key] for key in _COPIED if key in plain}
        settings |= _located(like, proposal)
    if proposal.event_type and "event_type" not in settings:
        settings["event_type"] = {"path": proposal.event_type.path}
    if "event_type" not in settings:
        settings.pop("ignore_types", None)
    located = settings.get("delivery_id", {})
    of_request = like is None and is_of_request(located.get("header", ""))
    if proposal.delivery_id and (not located or of_request):
        settings["delivery_id"] = {"path": proposal.delivery_id.path}
    if proposal.split is not None:
        settings["split"] = {"path": proposal.split}
    settings["mozdef"] = _mapping(proposal, like)
    return settings


def _authentication(choices: Choices) -> dict[str, Any]:
    keep = ["Content-Type", "User-Agent"]
    if choices.authentication == "token":
        header = choices.header or "Authorization"
        token = {"type": "token", "header": header, "prefix": choices.prefix}
        return {"authentication": token, "headers": {"keep": _kept(keep, choices, header)}}
    header = choices.header or "X-Signature"
    signature = {
        "type": "hmac",
        "header": header,
        "prefix": choices.prefix,
        "algorithm": "sha256",
        "encoding": "hex",
        "signed": "{body}",
    }
    headers: dict[str, Any] = {"keep": _kept([*keep, header], choices, "")}
    # A guessed name would have every request refused, and none would be kept.
    if choices.header:
        headers["require"] = [header]
    return {"authentication": signature, "headers": headers}


def _kept(keep: list[str], choices: Choices, secret: str) -> list[str]:
    known = {name.lower() for name in (*keep, secret)}
    return [*keep, *(name for name in choices.headers if name.lower() not in known)]


def _located(like: LoadedSource, proposal: Proposal) -> dict[str, Any]:
    """Take over what the other source finds in a header, and its type's path if none is found."""
    settings = like.settings
    taken: dict[str, Any] = {}
    for key, found in (("event_type", proposal.event_type), ("delivery_id", proposal.delivery_id)):
        locator = getattr(settings, key)
        # Where another sender's bodies have their id says nothing of this one's.
        by_path = found is None and key != "delivery_id"
        if locator is not None and (locator.header or by_path):
            taken[key] = locator.model_dump(mode="json", exclude_unset=True)
    return taken


def _mapping(proposal: Proposal, like: LoadedSource | None) -> dict[str, Any]:
    copied = like.settings.mozdef.model_dump(mode="json", exclude_unset=True) if like else {}
    shapes = (copied.get("details"), (copied.get("plugin") or {}).get("details"))
    taken = {key for shape in shapes if isinstance(shape, dict) for key in shape}
    fields = {name: where for name, where in proposal.fields.items() if name not in taken}
    if fields:
        copied["fields"] = copied.get("fields", {}) | fields
    if proposal.rules:
        copied["rules"] = [*copied.get("rules", ()), *proposal.rules]
    if proposal.summary or "summary" not in copied:
        copied["summary"] = _summary(proposal.summary, fields)
    if times := [one.path for one in proposal.timestamps]:
        copied["timestamp"] = times if len(times) > 1 else times[0]
    copied.setdefault("severity", "INFO")
    return copied


def _summary(texts: Sequence[str], fields: Mapping[str, Any]) -> str:
    """Compose a template of which each part is left out with its words where an event lacks it."""
    parts = ["{source} {type}"]
    if texts:
        parts.append("{?: " + f"{{{texts[0]}}}" + "}")
        parts += ["{? " + f"{{{path}}}" + "}" for path in texts[1:]]
    for name, word in (("username", "by"), ("sourceipaddress", "from")):
        if name in fields and fields[name] not in texts:
            parts.append("{? " + f"{word} {{${name}}}" + "}")
    return "".join(parts)


def compose(
    settings: Mapping[str, Any], proposal: Proposal, like: str | None, choices: Choices
) -> str:
    """Write the settings as YAML, each part with what to check about it.

    Parameters
    ----------
    settings : Mapping[str, Any]
        What `make_settings` gave, with schemas.
    """
    comments = _comments(settings, proposal, like)
    if like is None:
        seen = {key: _seen(text) for key, text in choices.evidence.items()}
        if "path" in settings.get("delivery_id", {}):
            seen.pop("delivery_id", None)  # the body proves a better one
        comments |= seen
    order = ["version", "title", *(key for key in settings if key not in {"version", "title"})]
    parts = []
    for key in order:
        text = yaml.safe_dump(
            {key: settings[key]}, sort_keys=False, width=100, default_flow_style=False
        )
        comment = "".join(f"# {line}\n" for line in wrap(comments.get(key, ""), 98))
        parts.append(("\n" + comment if comment else "") + text)
    return "".join(parts) + _missing(settings, proposal)


def _comments(settings: Mapping[str, Any], proposal: Proposal, like: str | None) -> dict[str, str]:
    copied = f" Copied from {like}." if like else ""
    how = settings.get("authentication", {})
    hmac = how.get("type") == "hmac"
    signed = (
        "See in the sender's documentation what it signs: the body alone, or a time with it "
        '(then set `timestamp` and `signed: "{timestamp}.{body}"`), and whether it writes hex '
        "or base64."
    )
    fixed = (
        "See in the sender's settings which header it can send, and what it puts before the token."
    )
    return {
        "authentication": "CHECK. " + (signed if hmac else fixed) + copied,
        "headers": "What travels with the event into the archive. Add what helps to find a request "
        "again. `require` refuses a request without the header with 400, and nothing is kept of "
        "it: for what the proof cannot do without, and nothing else." + copied,
        "ingest": "How events come in: see docs/architecture.md, 'Three ways in'." + copied,
        "event_type": "CHECK. "
        + _why(proposal.event_type, "The type of an event.")
        + " It chooses the schema, and is in the summary.",
        "delivery_id": "CHECK. "
        + _why(proposal.delivery_id, "What tells one event from another.")
        + " It must be the same when the sender sends an event again, and must never come with "
        "another event: the id of an incident or a user does, and such events would be lost as "
        "duplicates.",
        "split": f"Each element of this list becomes an event; the samples hold "
        f"{sum(proposal.event_counts)} in {len(proposal.event_counts)} requests.",
        "schemas": "CHECK. What was in every sample is required, with the types that were seen. "
        "Take out what a sender may leave out: an event that breaks its schema is rejected.",
        "mozdef": "CHECK. What MozDef shows. "
        + _why(proposal.timestamp, "`timestamp` says when it happened.")
        + " `fields` are what alerts and analysts look for in `details`; see that each path is "
        "that of the one who acted. Raise severities of single types with `severity_by_type`, say "
        "what they are with `category_by_type` (authentication, account creation, …), and weigh "
        "values with `by_value`.",
    }


def _why(found: Found | None, what: str) -> str:
    if found is None:
        return what
    # What a stranger wrote must not end the comment, nor be read as YAML.
    shown = [_harmless(value) for value in found.values[:_SHOWN]]
    rest = len(found.values) - len(shown)
    seen = ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")
    others = f" It could also be {', '.join(found.others)}." if found.others else ""
    return f"{what} `{found.path}` is {found.why}: {seen}.{others}"


def _seen(text: str) -> str:
    mark = "" if "proved by the captured signature" in text else "CHECK. "
    return _harmless(f"{mark}{text[:1].upper()}{text[1:]}.", 600)


def _harmless(value: str, most: int = 40) -> str:
    plain = "".join(one if one.isascii() and one.isprintable() else "?" for one in value)
    return plain[:most]


def _missing(settings: Mapping[str, Any], proposal: Proposal) -> str:
    notes = []
    if "event_type" not in settings:
        notes.append(
            "No event_type: no short text with few values was found. Set `event_type: {path: …}` "
            "or `{header: …}` to have a schema for each type."
        )
    if "timestamp" not in settings["mozdef"]:
        notes.append("No mozdef.timestamp: the time of the arrival is taken.")
    text = "".join(map(_comment, notes))
    return text if "delivery_id" in settings else text + _unproven(proposal)


def _comment(note: str) -> str:
    return "\n" + "".join(f"# {line}\n" for line in wrap(note, 98))


def _unproven(proposal: Proposal) -> str:
    """Say why there is no delivery id, and which it could be."""
    found = proposal.identity.unproven
    hashed = (
        "The hash of the event stands for it, for `body_hash_hours`: two events with the same "
        "bytes count as one."
    )
    if found is None:
        return _comment(f"No delivery_id: nothing in the samples is an id of its own. {hashed}")
    also = f" (or `{'`, `'.join(found.others)}`)" if found.others else ""
    taken = f"No delivery_id. {hashed} `{found.path}`{also} is {found.why}, which proves nothing: "
    if proposal.identity.of_object:
        return _comment(
            f"{taken}it is within what the event is about, and so is likely the id of that. Taken "
            "for the event's, each further event about the same thing would be lost as a duplicate."
        )
    return (
        _comment(
            f"{taken}it can be the id of what the event is about. Taken for the event's, each "
            "further event about the same thing would be lost as a duplicate. Give `source new` "
            "two samples about one thing, such as its creation and its deletion; or, if the sender "
            "documents that it is the event's id and stays when the event is sent again:"
        )
        + f"# delivery_id:\n#   path: {found.path}\n"
    )
