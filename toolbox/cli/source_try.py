"""`mozdef-ef source try`: what would happen to a payload."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from pipeline.event.envelope import (
    KEY_PREFIX_CHARACTERS,
    Envelope,
    encode_envelope,
    partition_key,
)
from pipeline.event.events import Event
from pipeline.event.outcomes import QUARANTINED, OutcomeKind
from settings.source.loader import SourceError
from toolbox.cli.captured_options import secrets_given
from toolbox.cli.source_options import (
    AskSecret,
    HostOption,
    Json,
    SourcesOption,
    load_one,
    parse_headers,
)
from toolbox.cli.source_try_requests import TriedRequest, request_of_body, requests_captured
from toolbox.sources.checking import describe, explain
from toolbox.sources.mozdef_contract import violations
from toolbox.sources.rehearsal import Ending, Rehearsal, compiled
from toolbox.sources.samples_as_sent import signs
from toolbox.sources.unproved import without_proof
from toolbox.terminal.output import DOES_NOT_HOLD, console, print_json

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog
    from pipeline.event.events import Outcome
    from settings.source.loader import LoadedSource

_MOZDEF_EVENT = "MozDef event"


def try_file(
    name: Annotated[str, typer.Argument(help="A source, such as github.")],
    file: Annotated[Path | None, typer.Argument(help="The body of a request.")] = None,
    *,
    captured: Annotated[
        list[Path] | None,
        typer.Option(
            help="In the place of a body: requests that were caught, as a HAR file, a curl command "
            "or raw HTTP; may be repeated."
        ),
    ] = None,
    host: HostOption = "",
    header: Annotated[
        list[str] | None,
        typer.Option(help="A header, such as 'X-GitHub-Event: push'; may be repeated."),
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(help="The sender's secret, or a line for each: the proof is checked with it."),
    ] = None,
    ask_secret: AskSecret = False,
    sign: Annotated[
        bool,
        typer.Option(
            "--sign",
            help="Sign it here, with the secret that was given or with one that is made up.",
        ),
    ] = False,
    sources: SourcesOption = None,
    as_json: Json = False,
) -> None:
    """Take a request through the pipeline's own steps, and say at each what comes of it.

    Nothing needs to run, and nothing is sent. A signature or token is checked where its secret is
    given. Without one, or where a body was given alone, the body is judged and the proof is not:
    nothing is signed here unless --sign says so.

    Exit status: 0 it would be delivered (or answered, or ignored), 1 it would be turned away.
    """
    source = load_one(name, sources)
    if (file is None) == (not captured):
        raise SourceError("give either the file of a body or --captured")
    secrets = secrets_given(secret_file, ask=ask_secret)
    tried = (
        requests_captured(source, captured, host, secrets, sign=sign)
        if captured
        else [request_of_body(source, file, parse_headers(header), secrets, sign=sign)]
        if file
        else []
    )
    documents, good = [], True
    with compiled({name: source}) as catalog:
        for one in tried:
            fine, document = _try(source, catalog, one, show=not as_json)
            good &= fine
            documents.append(document)
    if as_json:
        print_json(documents[0] if len(documents) == 1 else {"requests": documents})
    if not good:
        raise typer.Exit(DOES_NOT_HOLD)


def _try(
    source: LoadedSource, catalog: Catalog, tried: TriedRequest, *, show: bool
) -> tuple[bool, dict[str, Any]]:
    name, request = source.name, tried.request
    taken = catalog if tried.is_checked else without_proof(catalog, source)
    rehearsal = Rehearsal({name: source}, taken, tried.secrets, now=tried.at)
    ending = rehearsal.take(name, request, "try")
    steps = [("request", f"{request.method} /{name}, {len(request.body):,} bytes, {tried.proof}")]
    steps += _door_steps(source, ending, is_checked=tried.is_checked)
    events = [_event(source, outcome) for outcome in ending.outcomes]
    if show:
        if tried.label:
            console.print(tried.label)
        _print(steps, events, ending)
    document = {
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
    return ending.accepted and not any(event["contract"] for event in events), document


def _door_steps(source: LoadedSource, ending: Ending, *, is_checked: bool) -> list[tuple[str, str]]:
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
        ("signature", _signature(source, ending, is_checked=is_checked)),
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


def _signature(source: LoadedSource, ending: Ending, *, is_checked: bool) -> str:
    if not signs(source.settings):
        return "none; the source proves itself otherwise" + ("" if is_checked else ", not checked")
    if not is_checked:
        return "not checked"
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
