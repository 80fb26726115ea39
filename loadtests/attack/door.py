"""A stranger at the front door: tokens, paths, sizes, headers that want to be more than headers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from loadtests.attack.forgeries import honest
from loadtests.attack.pipeline import new_mark
from loadtests.attack.verdicts import NotHeldError, refuse_if
from toolbox.sources.samples import load_samples

if TYPE_CHECKING:
    from loadtests.attack.pipeline import AttackedPipeline
    from loadtests.attack.verdicts import Later
    from settings.source.loader import LoadedSource
    from settings.source.model import TokenAuthentication

_JSON = {"Content-Type": "application/json"}
#: What a function says in its log that was killed for its memory or time, or ended itself.
_LOST = re.compile(rb"Runtime\.OutOfMemory:|Sandbox\.Timedout:|Runtime\.ExitError:")


def _tokens(arena: AttackedPipeline) -> dict[str, TokenAuthentication]:
    found = {}
    for name, one in arena.sources.items():
        token = one.settings.token
        if token and token.in_header:
            found[name] = token
    return found


def _request(source: LoadedSource) -> tuple[bytes, dict[str, str]]:
    """Return what a sender of the source sends, but for its token."""
    for sample in load_samples(source):
        if sample.settings.expect.outcome == "delivered":
            return sample.content, sample.headers
    raise NotHeldError(f"{source.name} has no sample to attack with")


def wrong_tokens(arena: AttackedPipeline) -> str:
    """Send to each source with a token: without, with parts of it, and with those of others."""
    known = _tokens(arena)
    tried = 0
    for name, scheme in known.items():
        body, headers = _request(arena.sources[name])
        right = scheme.prefix + arena.secret(name)
        others = [scheme.prefix + arena.secret(other) for other in known if other != name]
        wrong = ["", scheme.prefix, right[:-1], f"{right}x", right.swapcase(), f"{right}, junk"]
        wrong += [f"junk, {right}", "*", "null", "Bearer " * 100, "x" * 8_000, *others]
        for value in {one for one in wrong if one != right}:
            status, _ = arena.post(f"/{name}", body, {**headers, scheme.header: value})
            if status not in {0, 400, 401, 403, 413, 431}:
                raise NotHeldError(f"{name}: the token {value[:12]!r} was answered {status}")
            tried += 1
        status, _ = arena.post(f"/{name}", body, headers)
        refuse_if(status not in {401, 403}, f"{name}: without a token {status}")
        status, _ = arena.post(f"/{name}", body, {**headers, scheme.header: right})
        refuse_if(status != 200, f"{name}: the right token is answered {status} after that")
    return f"{tried} wrong tokens to {len(known)} sources, each refused; the right ones go on"


def two_tokens(arena: AttackedPipeline) -> str:
    """Send junk beside the right token, so that the decision is kept for the wrong one (S11)."""
    for name, scheme in _tokens(arena).items():
        body, headers = _request(arena.sources[name])
        right = scheme.prefix + arena.secret(name)
        for number, order in enumerate([(0, 1), (1, 0)]):
            junk = f"{scheme.prefix}junk-{number}"
            values = [(scheme.header, junk), (scheme.header.swapcase(), right)]
            pairs = [*headers.items(), *(values[at] for at in order)]
            arena.post(f"/{name}", body, pairs)
            status, _ = arena.post(f"/{name}", body, {**headers, scheme.header: junk})
            refuse_if(status not in {401, 403}, f"{name}: junk is answered {status} afterwards")
            status, _ = arena.post(f"/{name}", body, {**headers, scheme.header: right})
            refuse_if(status != 200, f"{name}: the right token is answered {status} afterwards")
    return "junk stays out and the right token stays in, in both orders"


def other_paths(arena: AttackedPipeline) -> Later:
    """Reach a source with a token by another spelling of its path, or another method."""
    mark = new_mark()
    body = json.dumps({"attack": mark}).encode()
    paths = [
        "/generic/",
        "//generic",
        "/GENERIC",
        "/github/../generic",
        "/generi%63",
        "/generic%2f",
    ]
    paths += [
        "/generic;x",
        "/generic?resource=/github",
        "/%2e/generic",
        "/dev/generic",
        "/{proxy+}",
    ]
    for path in paths:
        status, _ = arena.post(path, body, _JSON)
        refuse_if(status == 200, f"{path} was answered 200 without a token")
    more = {"X-HTTP-Method-Override": "POST", "X-Original-URL": "/generic", "X-Rewrite-URL": "/x"}
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"):
        status, _ = arena.post("/generic", body, {**_JSON, **more}, method)
        refuse_if(status == 200, f"{method} /generic was answered 200 without a token")

    def judge() -> str:
        refuse_if(arena.events(mark), "an event came in by another path or method")
        return f"{len(paths)} spellings and 7 methods, none answered 200"

    return judge


def oversized(arena: AttackedPipeline) -> Later:
    """Send headers and bodies that are too large, and see that others go on."""
    source = arena.sources["github"]
    kinds: list[tuple[bytes, list[tuple[str, str]]]] = [
        (b"{}", [("X-Large", "x" * 200_000)]),
        (b"{}", [("X" * 100_000, "x")]),
        (b"{}", [(f"X-{number}", "x") for number in range(5_000)]),
        (b"{}", [("X-GitHub-Delivery", "x" * 60_000), ("X-GitHub-Event", "push")]),
        (b"x" * (11 << 20), [("X-GitHub-Event", "push"), ("X-Hub-Signature-256", "sha256=0")]),
        (b"x" * (2 << 20), [("X-GitHub-Event", "push"), ("X-Hub-Signature-256", "sha256=0")]),
    ]
    for body, headers in kinds:
        status, _ = arena.post("/github", body, [*_JSON.items(), *headers])
        refuse_if(status == 200, f"{len(body)} bytes with {len(headers)} headers: answered 200")
    mark = new_mark()
    good, plain = honest(source, mark)
    arena.post("/github", good, arena.sign(source, good, plain))

    def judge() -> str:
        refuse_if(not arena.events(mark), "a good event after them did not come out")
        return f"{len(kinds)} of them refused, a good event afterwards came out"

    return judge


def headers_that_are_code(arena: AttackedPipeline) -> Later:
    """Send delivery ids that want to be templates, JSON, fields or lines."""
    source = arena.sources["github"]
    ids = [
        '","PartitionKey":"x","Data":"AA==","a":"',
        "$context.requestId",
        "#set($partitionKey = 1)${kept}",
        "x&source=generic&key=1",
        "a%0Av=1&source=generic",
        "\\",
        "'\"<script>",
        "é" * 100,
        "x" * 300,
        "../../../etc/passwd",
    ]
    marks = []
    for value in ids:
        mark = new_mark()
        body, headers = honest(source, mark)
        signed = arena.sign(source, body, {**headers, "X-GitHub-Delivery": value})
        status, _ = arena.post("/github", body, signed)
        refuse_if(status != 200, f"the id {value[:20]!r} was answered {status}")
        marks.append(mark)

    def judge() -> str:
        for value, mark in zip(ids, marks, strict=True):
            queues = [queue for queue, _ in arena.events(mark)]
            refuse_if(queues != ["github"], f"the id {value[:20]!r} came out at {queues}")
        return f"{len(ids)} ids are ids: each event once, of its own source"

    return judge


def bombs(arena: AttackedPipeline) -> Later:
    """Send 40 KB of a split source's smallest elements, and a deep one (R5)."""
    source = arena.sources["okta"]
    bodies = [
        b'{"data":{"events":[' + b",".join([b"0"] * 20_000) + b"]}}",
        b'{"data":{"events":[' + b",".join([b"{}"] * 13_000) + b"]}}",
        b'{"data":{"events":[' + b"[" * 20_000 + b"]" * 20_000 + b"]}}",
        b"[" * 40_000,
    ]
    for body in bodies:
        arena.post("/okta", body, arena.sign(source, body, _JSON))
    mark = new_mark()
    other = arena.sources["github"]
    good, plain = honest(other, mark)
    arena.post("/github", good, arena.sign(other, good, plain))

    def judge() -> str:
        refuse_if(not arena.events(mark), "a good event of another source did not come out")
        logs = (path.read_bytes() for path in (arena.state / "logs").glob("*.log"))
        lost = sum(len(_LOST.findall(log)) for log in logs)
        refuse_if(lost, f"{lost} invocations were lost")
        return "no invocation was lost, and other events came out"

    return judge


def wakes_nobody(arena: AttackedPipeline) -> Later:
    """Forge events so that somebody is woken: no ticket is made for a bad signature (S9)."""
    body, headers = honest(arena.sources["github"], new_mark())
    for _ in range(3):
        arena.post("/github", body, {**headers, "X-Hub-Signature-256": "sha256=" + "0" * 64})

    def judge() -> str:
        reasons = {line.get("reason") for line in arena.archived("quarantine/")}
        refuse_if("bad_signature" not in reasons, "the forgeries are not in quarantine")
        made = [line for line in arena.archived("rejected/") if line.get("reason") in _FORGED]
        refuse_if(made, f"{len(made)} forgeries made tickets")
        return "forgeries lie in quarantine, which makes no ticket"

    return judge


_FORGED = {"bad_signature", "stale_signature"}
