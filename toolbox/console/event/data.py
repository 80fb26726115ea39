"""What the page of one event shows: what `mozdef-ef explain` tells, and the request itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pipeline.event.events import Event
from pipeline.replay.times import parse_time
from toolbox.console.event.body import MOST_BYTES as MOST_SHOWN
from toolbox.console.event.body import MOST_BYTES_OF_PAGE, BodyView, view_of
from toolbox.console.explained import explained
from toolbox.console.rendering import path_text
from toolbox.explaining.explainer import Asked
from toolbox.explaining.found import Explanation, ReadingNotes
from toolbox.explaining.proof_check import ProofCheck, check_proof
from toolbox.terminal.nearest import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolbox.console.scene import ConsoleScene
    from toolbox.explaining.explainer import Explainer, Sighting
    from toolbox.explaining.meaning import Judged

MOST_BYTES = 64 * 2**20
DEFAULT_FROM, DEFAULT_TO = "7d", "0s"
MOST_MESSAGES = 5


@dataclass(frozen=True)
class EventVerdict:
    """One event of a request, as the sources of this machine judge it.

    Parameters
    ----------
    broken : str
        What its schema says against it; empty where nothing.
    view : BodyView
        Its body, with the place marked that breaks the schema.
    message : BodyView | None
        What MozDef reads; None where it would not be sent.
    """

    id: str
    event_type: str
    identity: str
    now: str
    broken: str
    broken_place: str
    view: BodyView
    message: BodyView | None


@dataclass(frozen=True)
class SeenRequest:
    """One request that an id can mean."""

    explanation: Explanation
    headers: tuple[tuple[str, str], ...]
    body: BodyView
    proof: ProofCheck | None
    verdicts: tuple[EventVerdict, ...]
    further: int


@dataclass(frozen=True)
class OneEventPage:
    """What is known of an id."""

    asked: str
    requests: tuple[SeenRequest, ...]
    read: tuple[str, ...]
    not_known: tuple[str, ...]
    #: Where the secret was not read: on a stack, unless it is asked for.
    proof_address: str

    def document(self) -> dict[str, Any]:
        """Return what `mozdef-ef explain --json` prints, with each request beside it."""
        return {
            "asked": self.asked,
            "found": [asdict(one.explanation) for one in self.requests],
            "requests": [
                {
                    "headers": dict(one.headers),
                    "body": one.body.text,
                    "body_is_cut": one.body.cut,
                    "proof": asdict(one.proof) if one.proof else None,
                    "events": [
                        {
                            "id": each.id,
                            "type": each.event_type,
                            "identity": each.identity,
                            "now": each.now,
                            "schema": each.broken,
                            "schema_place": each.broken_place,
                            "message": each.message.text if each.message else None,
                        }
                        for each in one.verdicts
                    ],
                }
                for one in self.requests
            ],
            "read": self.read,
            "not_known": self.not_known,
        }


def read_event(scene: ConsoleScene, identifier: str, query: Mapping[str, str]) -> OneEventPage:
    """Find an event, and put together what is known of it.

    Raises
    ------
    PipelineError
        When it is not there, or the time has no sense.
    """
    now = datetime.now(UTC)
    asked = Asked(
        identifier,
        None,
        (query["source"],) if query.get("source") else (),
        parse_time(query.get("from") or DEFAULT_FROM, now),
        parse_time(query.get("to") or DEFAULT_TO, now),
    )
    notes, reading = ReadingNotes(), explained(scene)
    is_checked = scene.where.local or query.get("proof") == "1"
    with reading.explainer(notes, MOST_BYTES) as explainer:
        found = list(explainer.look(asked))
        # One delivery id can be that of many requests.
        view = partial(view_of, most=min(MOST_SHOWN, MOST_BYTES_OF_PAGE // max(len(found), 1)))
        seen = tuple(_request(scene, explainer, one, view, is_checked=is_checked) for one in found)
    if not seen:
        raise NotFoundError(
            f"{identifier:.100}: nothing of the archive has it, from {asked.start:%Y-%m-%d %H:%M} "
            f"to {asked.end:%Y-%m-%d %H:%M} UTC; read: {'; '.join(notes.told())}"
        )
    again = f"{path_text('events', identifier)}?{urlencode({**query, 'proof': '1'})}"
    return OneEventPage(
        identifier, seen, notes.told(), tuple(notes.not_known), "" if is_checked else again
    )


def _request(
    scene: ConsoleScene,
    explainer: Explainer,
    one: Sighting,
    view: Callable[..., BodyView],
    *,
    is_checked: bool,
) -> SeenRequest:
    event = one.line.event
    envelope = event.envelope
    proof = None
    if envelope is not None and (meaning := explainer.meaning_of(event.claimed_source)):
        ssm = scene.where.client("ssm") if is_checked else None
        parameter = scene.where.parameters.get(event.claimed_source, "")
        proof = check_proof(meaning.compiled_source(), envelope, ssm, parameter)
    verdicts = tuple(
        _verdict(explainer, each, view) for each in list(one.judged.values())[:MOST_MESSAGES]
    )
    return SeenRequest(
        one.explanation,
        tuple(sorted(envelope.headers.items())) if envelope else (),
        view(envelope.body if envelope else event.record),
        proof,
        verdicts,
        len(one.judged) - len(verdicts),
    )


def _verdict(explainer: Explainer, judged: Judged, view: Callable[..., BodyView]) -> EventVerdict:
    event = judged.event
    if not isinstance(event, Event):
        return EventVerdict(event.id, "", "", judged.now, "", "", view(event.data), None)
    place: tuple[str, ...] = ()
    broken = ""
    meaning = explainer.meaning_of(event.source.name)
    if judged.verdict is not None and meaning is not None and event.parsed is not None:
        place, broken = meaning.broken_place(event)
    return EventVerdict(
        event.id,
        event.event_type,
        event.deduplication_key,
        judged.now,
        broken,
        ".".join(place),
        view(event.body_json or event.envelope.body, place if broken else None),
        view(judged.message) if judged.message else None,
    )
