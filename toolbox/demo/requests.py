"""What the demo sends: real GitHub payloads, copies, forgeries and broken ones."""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from toolbox.demo.source import NAME, TICKETS
from toolbox.sources.samples import SampleRequest, authenticate
from toolbox.traffic.sender import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from settings.source.loader import LoadedSource

COPIES, FORGED, BROKEN, WRONG_TYPE, GENERIC = 60, 25, 15, 10, 40
_MIB = 1_048_576


@dataclass(frozen=True)
class Part:
    """Some requests that must all end in the same way.

    Parameters
    ----------
    label, outcome : str
        What they are, and how they must end.
    extra : int
        How many more events than requests they are: some senders pack several into one.
    """

    label: str
    outcome: str
    requests: list[Outgoing]
    extra: int = 0

    @property
    def events(self) -> int:
        """How many events they are."""
        return len(self.requests) + self.extra


def make_parts(
    sources: Mapping[str, LoadedSource],
    secrets: dict[str, str],
    examples: list[tuple[str, Any]],
    now: Callable[[], float],
) -> list[Part]:
    """Make everything that the demo sends, signed; the copies come in a part of their own."""
    github = sources["github"]

    def webhook(event: str, body: bytes, *, secret: str = secrets["github"]) -> Outgoing:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/demo",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid.uuid4()),
        }
        proof = authenticate(github, secret, body, now=now())
        return Outgoing("github", event, SampleRequest({**headers, **proof}, body))

    def token(document: Any, name: str = "generic", *, secret: str = "") -> Outgoing:
        body = orjson.dumps(document)
        headers = {"Content-Type": "application/json"}
        proof = authenticate(sources[name], secret or secrets[name], body, now=now())
        return Outgoing(name, name, SampleRequest({**headers, **proof}, body))

    real = [webhook(name, orjson.dumps(body)) for name, body in examples if name != "ping"]
    pings = [webhook(name, orjson.dumps(body)) for name, body in examples if name == "ping"]
    pushes = [(name, body) for name, body in examples if name in {"push", "issues", "repository"}]
    some = (pushes * 10)[: max(FORGED, BROKEN, WRONG_TYPE)]
    return [
        Part(f"real payloads of {len({one.label for one in real})} types", "delivered", real),
        Part("pings, which the source does not forward", "ignored", pings),
        Part(
            "events of the generic source",
            "delivered",
            [token({"n": n, "action": "login"}) for n in range(GENERIC)],
        ),
        Part("sent a second time", "duplicate", real[:COPIES]),
        Part(
            "signed with a wrong secret",
            "bad_signature",
            [webhook(n, orjson.dumps(b), secret="forged") for n, b in some[:FORGED]],  # noqa: S106
        ),
        Part(
            "broken JSON",
            "invalid_json",
            [webhook(name, orjson.dumps(body)[:-7]) for name, body in some[:BROKEN]],
        ),
        Part(
            "break the schema",
            "schema_violation",
            [webhook(name, _wrong_type(body)) for name, body in some[:WRONG_TYPE]],
        ),
        Part(
            "tickets of a source whose schema is wrong",
            "schema_violation",
            [token({"ticket": n, "subject": "Lost badge"}, NAME) for n in range(TICKETS)],
        ),
        Part("too large for SQS", "too_large", [webhook("watch", _too_large_for_sqs())]),
        Part(
            "too large for a record",
            "refused 413",
            [webhook("watch", orjson.dumps({"text": "x" * _MIB}))],
        ),
        Part("with a wrong token", "refused 403", [token({"n": -1}, secret="forged")]),  # noqa: S106
    ]


def _wrong_type(body: Any) -> bytes:
    broken = copy.deepcopy(body)
    broken["repository"] = "not an object"
    return orjson.dumps(broken)


def _too_large_for_sqs() -> bytes:
    """Return a body that fits into a record, and whose MozDef event is more than SQS takes.

    The summary repeats the names, so the event grows by more than the envelope does. No text is
    longer than a keyword of MozDef's index may be: it would be cut.
    """
    body = {
        "sender": {"login": "s" * 200},
        "repository": {"full_name": "r" * 200},
        "texts": ["x" * 32_000] * 32,
        "rest": "",
    }
    room = _MIB - len(orjson.dumps(body)) - 700
    return orjson.dumps({**body, "rest": "x" * room})
