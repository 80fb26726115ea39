"""A stranger, or who has seen one request, wants an event of his own before the SIEM."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from loadtests.attack.pipeline import new_mark
from loadtests.attack.verdicts import NotHeldError, refuse_if
from settings.source.loader import load_source
from settings.source.model import HmacAuthentication
from toolbox.sources.samples import load_samples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loadtests.attack.pipeline import AttackedPipeline
    from loadtests.attack.verdicts import Later
    from settings.source.loader import LoadedSource

#: No hexadecimal, and another value in base64; the case alone of a hex digest changes nothing.
_ANOTHER_BASE = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")
_FORM = "application/x-www-form-urlencoded"


def signed_sources(arena: AttackedPipeline) -> list[LoadedSource]:
    """Return the sources whose requests are signed, and whose events can be made anew."""
    return [one for one in arena.sources.values() if one.settings.hmac and _made_anew(one)]


def _made_anew(source: LoadedSource) -> bool:
    """Tell whether a body with a further field is a new event: neither old nor a copy."""
    settings = source.settings
    when = settings.hmac.timestamp if settings.hmac else None
    copy = settings.same_id == "duplicate" and bool(settings.delivery_id_paths)
    return not copy and (when is None or when.path is None)


def honest(source: LoadedSource, mark: str) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of an event that a sender would send, unsigned."""
    body, headers = _sample(source.folder)
    return b'{"attack":"' + mark.encode() + b'",' + body[1:], _anew(source, dict(headers))


@cache
def _sample(folder: Path) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """Return the first sample that is one event, delivered, and a JSON object."""
    for sample in load_samples(load_source(folder)):
        wanted, body = sample.settings, sample.body.lstrip()
        good = wanted.expect.outcome == "delivered" and wanted.sign == "current"
        if good and wanted.expect.events == 1 and body.startswith(b"{"):
            return body, (("Content-Type", wanted.content_type), *wanted.headers.items())
    raise NotHeldError(f"{folder.name} has no sample to attack with")


def _anew(source: LoadedSource, headers: dict[str, str]) -> dict[str, str]:
    """Give a request a delivery id that was not there before."""
    locator = source.settings.delivery_id
    if locator is None or locator.header is None:
        return headers
    kept = {n: v for n, v in headers.items() if n.lower() != locator.header.lower()}
    return {**kept, locator.header: new_mark()}


def _variants(
    arena: AttackedPipeline, source: LoadedSource
) -> Iterator[tuple[str, str, bytes, dict[str, str]]]:
    scheme = source.settings.authentication
    if not isinstance(scheme, HmacAuthentication) or scheme.header is None:
        raise NotHeldError(f"{source.name} has no signature in a header")
    name = scheme.header

    def made(**how: str | bool) -> tuple[str, bytes, dict[str, str]]:
        mark = new_mark()
        body, headers = honest(source, mark)
        return mark, body, arena.sign(source, body, headers, **how)

    mark, body, right = made()
    yield "right", mark, body, right
    mark, body, wrong = made(secret="d3JvbmcgYnkgaXRzIHZhbHVl")  # noqa: S106 - nobody's
    yield "another secret", mark, body, wrong
    for what in (
        "empty",
        "cut by one",
        "one more",
        "in another base",
        "its prefix alone",
        "of zeros",
    ):
        mark, body, headers = made()
        if (changed := _changed(what, headers[name], scheme.prefix)) != headers[name]:
            yield what, mark, body, {**headers, name: changed}
    mark, body, headers = made()
    yield "none", mark, body, {n: v for n, v in headers.items() if n != name}
    _, _, other = made()
    mark, body, headers = made()
    yield "of another body", mark, body, {**headers, name: other[name]}
    if scheme.timestamp is not None:
        yield "an old time", *made(stale=True)


def _changed(how: str, value: str, prefix: str) -> str:
    return {
        "empty": "",
        "cut by one": value.rstrip("=")[:-1],  # the padding alone may be left out
        "one more": f"{value}0",
        "in another base": f"{prefix}{value.removeprefix(prefix).translate(_ANOTHER_BASE)}",
        "its prefix alone": prefix,
        "of zeros": f"{prefix}{'0' * 64}",
    }[how]


def forged_signatures(arena: AttackedPipeline) -> Later:
    """Send each signed source's own event with signatures that are none of it."""
    sent: list[tuple[str, str, str]] = []
    for source in signed_sources(arena):
        for what, mark, body, headers in _variants(arena, source):
            status, _ = arena.post(f"/{source.name}", body, headers)
            refused = source.settings.ingest == "receiver" and what != "right"
            if refused and status not in {400, 401}:
                raise NotHeldError(f"{source.name}: {what} was answered {status}")
            sent.append((source.name, what, mark))

    def judge() -> str:
        for source, what, mark in sent:
            found = len(arena.events(mark))
            if found != (what == "right"):
                raise NotHeldError(f"{source}: with {what} signature, {found} came out")
        sources = {source for source, _, _ in sent}
        return f"{len(sent) - len(sources)} forgeries to {len(sources)} sources, none came out"

    return judge


def signed_for_another(arena: AttackedPipeline) -> Later:
    """Send one source's signed request to the others, and sign with the others' secrets."""
    sent: list[tuple[str, str, str]] = []
    sources = signed_sources(arena)
    for source in sources:
        mark = new_mark()
        body, headers = honest(source, mark)
        signed = arena.sign(source, body, headers)
        for other in sources:
            if other.name != source.name:
                arena.post(f"/{other.name}", body, signed)
                sent.append((source.name, other.name, mark))
                mine = new_mark()
                theirs, plain = honest(other, mine)
                try:
                    forged = arena.sign(other, theirs, plain, secret=arena.secret(source.name))
                except ValueError:
                    continue
                arena.post(f"/{other.name}", theirs, forged)
                sent.append((source.name, other.name, mine))

    def judge() -> str:
        for source, other, mark in sent:
            refuse_if(arena.events(mark), f"what has {source}'s secret came out as {other}")
        return f"{len(sent)} requests with another source's secret, none came out"

    return judge


def forms_in_signed_json(arena: AttackedPipeline) -> Later:
    """Send a signed JSON body again as a form (S1), and forms with more than the one field."""
    source = arena.sources["github"]
    _, plain = honest(source, new_mark())
    wanted, forged = new_mark(), [new_mark() for _ in range(5)]
    events = [quote(json.dumps({"attack": mark})).encode() for mark in [wanted, *forged]]
    bodies = [
        b"payload=" + events[0],
        b'{"text":"&payload=' + events[1] + b'&"}',
        b"x=1&payload=" + events[2],
        b"payload=%7B%7D&payload=" + events[3],
        b"payload=" + events[4] + b"&x=1",
        b"&payload=" + events[5],
    ]
    plain = {"X-GitHub-Event": "ping2", **plain, "Content-Type": _FORM}
    plain["X-GitHub-Event"] = "unknown_to_schemas"
    for body in bodies:
        headers = arena.sign(source, body, _anew(source, plain))
        arena.post("/github", body, headers)

    def judge() -> str:
        refuse_if(not arena.events(wanted), "the honest form did not come out")
        for mark, body in zip(forged, bodies[1:], strict=True):
            refuse_if(arena.events(mark), f"an event came out of {body[:30]!r}")
        return f"{len(forged)} bodies, the fields after the first byte came out of none"

    return judge


def captured_requests(arena: AttackedPipeline) -> Later:
    """Send a captured request again: as it is, and under another id that nobody signs (S2)."""
    source = arena.sources["github"]
    mark = new_mark()
    body, headers = honest(source, mark)
    signed = arena.sign(source, body, headers)
    arena.post("/github", body, signed)
    arena.settle()
    for again in (signed, signed, _anew(source, signed)):
        arena.post("/github", body, again)

    def judge() -> str:
        found = [message for _, message in arena.events(mark)]
        known = [one for one in found if "body_reused" in one.get("tags", [])]
        if len(found) != 2 or len(known) != 1:
            raise NotHeldError(f"{len(found)} came out, {len(known)} of them known as a copy")
        return "a copy is dropped; under another id it is known by its body, and says so"

    return judge


def headers_in_the_query(arena: AttackedPipeline) -> Later:
    """Give signature and id in the query and the path, where no sender has them."""
    source = arena.sources["github"]
    marks = []
    for form in ("?X-Hub-Signature-256={}", "?x-hub-signature-256={}&X-GitHub-Event=push"):
        mark = new_mark()
        body, headers = honest(source, mark)
        signed = arena.sign(source, body, headers)
        value = quote(signed.pop("X-Hub-Signature-256"))
        arena.post(f"/github{form.format(value)}", body, signed)
        marks.append(mark)

    def judge() -> str:
        refuse_if([m for m in marks if arena.events(m)], "a signature in the query was taken")
        return "headers are looked for among the headers alone"

    return judge


def handshakes_unsigned(arena: AttackedPipeline) -> str:
    """Have a receiver sign, or say back, a text of a stranger's."""
    asked = {
        "slack": {"type": "url_verification", "challenge": "c-0123456789"},
        "zoom": {"event": "endpoint.url_validation", "payload": {"plainToken": "c-0123456789"}},
    }
    for name, document in asked.items():
        status, answer = arena.post(
            f"/{name}", json.dumps(document).encode(), {"Content-Type": "application/json"}
        )
        if status == 200 or b"c-0123456789" in answer:
            raise NotHeldError(f"{name} answered {status} to a handshake that nobody signed")
    return "no handshake is answered before its signature is checked"
