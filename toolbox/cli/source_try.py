"""`mozdef-ef source try`: what would happen to a payload."""

from __future__ import annotations

import json
import time
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from pipeline.event.compiled_source import ANY_CONTENT_TYPE
from pipeline.event.envelope import (
    KEY_PREFIX_CHARACTERS,
    Envelope,
    encode_envelope,
    partition_key,
)
from pipeline.event.events import Event
from pipeline.event.outcomes import QUARANTINED, OutcomeKind
from settings.source.loader import SourceError
from settings.source.model import HmacAuthentication
from settings.source.polling import FEED_HEADER
from toolbox.cli.source_options import (
    PRIVATE_SOURCES,
    Json,
    SourcesOption,
    load_one,
    parse_headers,
)
from toolbox.sources.checking import describe, explain
from toolbox.sources.mozdef_contract import violations
from toolbox.sources.rehearsal import Ending, Rehearsal, compiled, make_secret
from toolbox.sources.samples import SampleRequest, addressed, authenticate, dated
from toolbox.sources.samples_as_sent import proof_headers
from toolbox.terminal.output import DOES_NOT_HOLD, console, print_json

if TYPE_CHECKING:
    from pipeline.event.events import Outcome
    from settings.source.loader import LoadedSource

_MOZDEF_EVENT = "MozDef event"


class SecretChoice(StrEnum):
    """With which secret a request is signed and checked."""

    THROW_AWAY = "throw-away"
    PROMPT = "prompt"


def try_file(
    name: Annotated[str, typer.Argument(help="A source, such as github.")],
    file: Annotated[Path, typer.Argument(help="The body of a request.")],
    *,
    header: Annotated[
        list[str] | None,
        typer.Option(help="A header, such as 'X-GitHub-Event: push'; may be repeated."),
    ] = None,
    secret: Annotated[
        SecretChoice,
        typer.Option(
            help="throw-away: sign here with a secret that is made up, so that proof is not what "
            "is tried. prompt: ask for the real one, and check the signature or token that is "
            "among the headers."
        ),
    ] = SecretChoice.THROW_AWAY,
    sources: SourcesOption = PRIVATE_SOURCES,
    as_json: Json = False,
) -> None:
    """Take a payload through the pipeline's own steps, and say at each what comes of it.

    Nothing needs to run, and nothing is sent.

    Exit status: 0 it would be delivered (or answered, or ignored), 1 it would be turned away.
    """
    source = load_one(name, sources)
    request, how = _request(source, _read(file), parse_headers(header), secret)
    key = how["secret"]
    with compiled({name: source}) as catalog:
        rehearsal = Rehearsal({name: source}, catalog, (key,))
        ending = rehearsal.take(name, request, "try")
    steps = [("request", f"{request.method} /{name}, {len(request.body):,} bytes, {how['text']}")]
    steps += _door_steps(source, ending)
    events = [_event(source, outcome) for outcome in ending.outcomes]
    good = ending.accepted and not any(event["contract"] for event in events)
    if as_json:
        print_json(
            {
                "source": name,
                "outcome": describe(ending),
                "explanation": explain(ending),
                "steps": [{"step": step, "what": what} for step, what in steps],
                # As the pipeline's own parser has it: a number of any length becomes one of JSON's.
                "events": [
                    {**event, "mozdef": orjson.loads(_message(one) or b"null")}
                    for event, one in zip(events, ending.outcomes, strict=True)
                ],
            }
        )
    else:
        _print(steps, events, ending)
    if not good:
        raise typer.Exit(DOES_NOT_HOLD)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SourceError(f"{file}: cannot be read: {error.strerror}") from None


def _request(
    source: LoadedSource, body: bytes, given: dict[str, str], secret: SecretChoice
) -> tuple[SampleRequest, dict[str, str]]:
    usual = [one for one in source.settings.content_types if one != ANY_CONTENT_TYPE]
    headers = {"Content-Type": (*usual, "application/json")[0], **given}
    method = source.settings.methods[0]
    if source.settings.poll is not None:
        headers.setdefault(FEED_HEADER, next(iter(source.settings.poll.feeds)))
        return SampleRequest(headers, body), {
            "secret": make_secret(),
            "text": "fetched, not signed",
        }
    proof = source.settings.authentication
    names = {name.lower() for name in given}
    if secret is SecretChoice.PROMPT:
        key = typer.prompt(f"{source.settings.parameter} of {source.name}", hide_input=True)
        if proof_headers(source.settings) & names:
            return SampleRequest(headers, body, method), {
                "secret": key,
                "text": "with the proof that was given",
            }
        text = "signed with the secret that was typed"
    else:
        key, text = make_secret(), "signed with a throw-away secret"
    signs = isinstance(proof, HmacAuthentication)
    text = text if signs else text.replace("signed with", "with")
    body = dated(source, body, now=time.time())
    made = authenticate(source, key, body, now=time.time(), headers=headers)
    replaced = {name.lower() for name in made}
    headers = {name: value for name, value in headers.items() if name.lower() not in replaced}
    request = addressed(source, key, SampleRequest(headers | made, body, method))
    return request, {"secret": key, "text": text}


def _door_steps(source: LoadedSource, ending: Ending) -> list[tuple[str, str]]:
    door = ending.door
    if not isinstance(door, Envelope):
        what = describe(ending)
        if what == "answered":
            return [("front door", f"a handshake, answered with {json.dumps(door.told)}")]
        return [("front door", f"{what}: {explain(ending)}")]
    kept = ", ".join(sorted(door.headers)) or "no header"
    return [
        ("front door", "taken"),
        ("envelope", f"{len(encode_envelope(door)):,} bytes, with {kept}"),
        ("partition key", _partition_key(source, door)),
        ("signature", _signature(source, ending)),
        ("events", str(len(ending.outcomes))),
    ]


#: Of 256 characters, a UUID of the stack's id and a hyphen stand before it.
_LONGEST_ID = 256 - KEY_PREFIX_CHARACTERS


def _partition_key(source: LoadedSource, door: Envelope) -> str:
    direct = source.settings.ingest == "direct"
    key = partition_key(door)
    if not door.key or (direct and len(key) > _LONGEST_ID):
        return "the request's own id"
    return f"{'<stack>-' if direct else ''}{key}"


def _signature(source: LoadedSource, ending: Ending) -> str:
    if not isinstance(source.settings.authentication, HmacAuthentication):
        return "none; the source proves itself otherwise"
    bad = [one for one in ending.outcomes if one.reason in QUARANTINED]
    return bad[0].explanation if bad else "fits"


def _message(outcome: Outcome) -> bytes:
    return outcome.event.message if isinstance(outcome.event, Event) else b""


def _event(source: LoadedSource, outcome: Outcome) -> dict[str, Any]:
    event = outcome.event
    known = event if isinstance(event, Event) else None
    schemas = source.settings.schemas
    file = schemas.types.get(event.event_type, schemas.default)
    text = _message(outcome)
    message = json.loads(text) if text else None
    return {
        "outcome": str(outcome.reason or outcome.kind),
        "explanation": outcome.explanation,
        "type": event.event_type,
        "delivery_id": known.delivery_id if known else "",
        "deduplication_key": known.deduplication_key if known else "",
        "schema": str(file or "none: any object will do"),
        "queue": known.queue if known else "",
        "contract": violations(message) if message is not None else [],
        "mozdef": message,
    }


def _print(steps: list[tuple[str, str]], events: list[dict[str, Any]], ending: Ending) -> None:
    lines = list(steps)
    for number, event in enumerate(events, start=1):
        if len(events) > 1:
            lines.append((f"event {number}", ""))
        lines += _event_lines(event)
    lines.append(("outcome", describe(ending)))
    for label, what in lines:
        line = f"{label:<18} {what}".rstrip()
        if label == _MOZDEF_EVENT:
            console.lines(line)
        else:
            console.print(line)


def _event_lines(event: dict[str, Any]) -> list[tuple[str, str]]:
    lines = []
    if event["deduplication_key"] or event["outcome"] == OutcomeKind.IGNORED:
        lines += [
            ("type", event["type"] or "none"),
            ("delivery id", event["delivery_id"] or "none: the body's hash stands for it"),
            ("deduplication key", event["deduplication_key"] or "none"),
            ("schema", event["schema"] + (", which it satisfies" if event["mozdef"] else "")),
        ]
    if event["outcome"] != OutcomeKind.DELIVERED:
        lines.append((event["outcome"], event["explanation"]))
    if event["mozdef"] is not None:
        text = json.dumps(event["mozdef"], indent=2, ensure_ascii=False)
        lines += [(_MOZDEF_EVENT, text), ("queue", event["queue"])]
    lines += [("contract", broken) for broken in event["contract"]]
    return lines
