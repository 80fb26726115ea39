"""Writes the samples of a new source: those that were given, and requests that must be refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from pipeline.event.compiled_poll import FEED_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from toolbox.sources.inference import Proposal
    from toolbox.sources.scaffolding_given import Given

_MADE_UP = "example"
#: Nobody but the sender can sign with its private key, and some prove nothing at all.
_SIGNED_HERE = frozenset({"basic", "hmac", "token"})


def write_samples(
    directory: Path,
    samples: Sequence[Given],
    settings: Mapping[str, Any],
    proposal: Proposal,
    headers: Mapping[str, str],
) -> list[str]:
    """Write the samples; give notes on what was made up.

    Parameters
    ----------
    directory : Path
        The source's `samples`.
    settings : Mapping[str, Any]
        What is in `source.yaml`.
    proposal : Proposal
        How many events each sample holds.
    headers : Mapping[str, str]
        Headers that come with each of them.
    """
    made_up = _missing_headers(settings, {**headers, **(samples[0].headers if samples else {})})
    names = _free_names([one.name for one in samples])
    for number, (free, one) in enumerate(zip(names, samples, strict=True)):
        file = f"{free}.{one.suffix}"
        (directory / file).write_bytes(one.content)
        if one.packed:
            file = f"{free}.packed"
            (directory / file).write_bytes(one.packed)
        count = proposal.event_counts[number]
        expect = {"outcome": "delivered", **({"events": count} if count > 1 else {})}
        sent = {**made_up, **headers, **one.headers}
        ours = _headers({**sent, **_delivery(settings, sent, free)}) | _content_type(one)
        _write(
            directory / f"{free}.yaml",
            description=f"as the sender sent it: {free}",
            **({**one.beside, "as_sent": dict(one.as_sent)} if one.as_sent else ours),
            body_file=file,
            expect=expect,
        )
    if settings.get("authentication", {}).get("type") in _SIGNED_HERE:
        first = samples[0]
        file = f"{names[0]}.{first.suffix}"
        sent = {**made_up, **headers, **first.headers}
        _write_refused(directory, settings, file, sent, _content_type(first))
    return [
        f"header {name} is made up in the samples: {value!r}" for name, value in made_up.items()
    ]


def _free_names(stems: Sequence[str]) -> list[str]:
    taken = ["wrong-secret", "stale-timestamp", "broken-json"]
    made = len(taken)
    for stem in stems:
        free, number = stem, 1
        while free in taken:
            number += 1
            free = f"{stem}-{number}"
        taken.append(free)
    return taken[made:]


def _content_type(one: Given) -> dict[str, str]:
    plain = one.content_type.partition(";")[0].strip().lower() in {"", "application/json"}
    return {} if plain else {"content_type": one.content_type}


def _write_refused(
    directory: Path,
    settings: Mapping[str, Any],
    body_file: str,
    headers: Mapping[str, str],
    content_type: Mapping[str, str],
) -> None:
    how = settings["authentication"]
    at_door = settings.get("ingest") == "receiver"
    if how["type"] in {"token", "basic"}:
        wrong: dict[str, Any] = {"outcome": "refused", "status": 403}
    elif at_door:
        wrong = {"outcome": "refused", "status": 401}
    else:
        wrong = {"outcome": "rejected", "reason": "bad_signature"}

    def write(stem: str, description: str, **parts: Any) -> None:
        locator = settings.get("delivery_id", {}).get("header")
        sent = {**headers, **({locator: f"sample-{stem}"} if locator else {})}
        _write(directory / f"{stem}.yaml", description=description, **_headers(sent), **parts)

    write(
        "wrong-secret",
        "neither the current nor the previous secret",
        **content_type,
        body_file=body_file,
        sign="wrong",
        expect=wrong,
    )
    if how["type"] == "hmac" and how.get("timestamp"):
        stale = (
            {"outcome": "refused", "status": 401}
            if at_door
            else {"outcome": "rejected", "reason": "stale_signature"}
        )
        write(
            "stale-timestamp",
            "rightly signed, but too long ago",
            **content_type,
            body_file=body_file,
            sign="stale",
            expect=stale,
        )
    if "body" in settings:
        return
    write(
        "broken-json",
        "rightly signed, and no JSON",
        body='{"broken":',
        expect={"outcome": "rejected", "reason": "invalid_json"},
    )


def _missing_headers(settings: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, str]:
    """Make up the headers without which the front door refuses a request."""
    if "poll" in settings:
        return {FEED_HEADER: next(iter(settings["poll"]["feeds"]))}
    how = settings["authentication"]
    made = {how.get("header", "Authorization").lower()}
    if when := how.get("timestamp"):
        made.add(str(when.get("header", "")).lower())
    known = {name.lower() for name in headers} | made
    delivery = _delivery(settings, headers, "")
    required = settings.get("headers", {}).get("require", [])
    return {
        name: _MADE_UP for name in required if name.lower() not in known and name not in delivery
    }


def _delivery(
    settings: Mapping[str, Any], headers: Mapping[str, str], value: str
) -> dict[str, str]:
    """Return each sample a delivery id of its own, where it is in a header."""
    header = settings.get("delivery_id", {}).get("header")
    return {header: f"sample-{value}"} if header and header not in headers else {}


def _headers(headers: Mapping[str, str]) -> dict[str, Any]:
    return {"headers": dict(headers)} if headers else {}


def _write(path: Path, **sample: Any) -> None:
    path.write_text(yaml.safe_dump(sample, sort_keys=False, width=100), encoding="utf-8")
