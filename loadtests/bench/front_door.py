"""The front door, warm: the authorizer, the receiver, and the mapping template of a source."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from infra.application.mapping_templates import put_record_request
from ingest_lambdas import authorizer, receiver
from loadtests.bench.arena import STREAM, Arena
from loadtests.bench.floor import floor
from loadtests.bench.measuring import Contender, WorkError, compare, no_output
from loadtests.bench.payloads import kinds, small_deliveries
from loadtests.bench.sample_events import authorizer_event, receiver_event
from loadtests.bench.stand_ins import FakeContext
from local.gateway.exchange import Exchange
from local.gateway.model import Api
from local.gateway.variables import template_variables
from local.vtl import VtlTemplate

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.bench.payloads import Webhook
    from settings.source.loader import LoadedSource

CALLS = {"authorizer": 500, "receiver": 100, "template": 325}


def _context() -> Any:
    return FakeContext()


def run(arena: Arena, rounds: int) -> dict[str, Any]:
    """Measure what a request takes, in microseconds of CPU.

    Returns
    -------
    dict[str, Any]
        `authorizer_us`; `receiver_us`, of an event of 1 KB, the emulator's stream included; and
        `template_us` for each kind of event, with the floor beside it.
    """
    authorizer.authorizer.cache_clear()
    receiver.receiver.cache_clear()
    contenders = {"authorizer": _authorizer(arena), "receiver": _receiver(arena)}
    for kind, make in kinds(arena.sources).items():
        deliveries = make(CALLS["template"])
        source = arena.sources[deliveries[0].source]
        contenders[f"template_{kind}"] = Contender(rendering(source, deliveries))
        encoded = [base64.b64encode(one.body) for one in deliveries]
        contenders[f"floor_{kind}"] = Contender(floor(encoded))
    with no_output():
        samples = compare(contenders, rounds)
    found = {name: round(sample.median, 1) for name, sample in samples.items()}
    return {
        "authorizer_us": found["authorizer"],
        "receiver_us": found["receiver"],
        "template_us": {kind: found[f"template_{kind}"] for kind in kinds(arena.sources)},
        "front_door_floor_us": {kind: found[f"floor_{kind}"] for kind in kinds(arena.sources)},
    }


def _authorizer(arena: Arena) -> Contender:
    event = authorizer_event(arena)

    def work() -> int:
        for _ in range(CALLS["authorizer"]):
            answer = authorizer.handler(event, _context())
            if answer["policyDocument"]["Statement"][0]["Effect"] != "Allow":
                raise WorkError("the authorizer refused the benchmark's token")
        return CALLS["authorizer"]

    return Contender(work)


def _receiver(arena: Arena) -> Contender:
    waiting: list[dict[str, Any]] = []

    def prepare() -> None:
        deliveries = small_deliveries(arena.sources["zoom"], CALLS["receiver"])
        waiting.extend(receiver_event(one) for one in deliveries)

    def work() -> int:
        while waiting:
            answer = receiver.handler(waiting.pop(), _context())
            if answer["statusCode"] != 200:
                raise WorkError(f"the receiver answered {answer['statusCode']}")
        return CALLS["receiver"]

    return Contender(work, prepare)


def rendering(source: LoadedSource, deliveries: list[Webhook]) -> Callable[[], int]:
    """Return the rendering of a source's request template, as the local gateway does it."""
    settings = source.settings
    locator = settings.delivery_id
    text = put_record_request(
        source=source.name,
        stream_name=STREAM,
        keep=settings.headers.keep,
        delivery_id=locator.header if locator else None,
    )
    template = VtlTemplate(text, source.name)
    api = Api("a1b2c3", "0" * 12, "us-west-2", "bench", binary=True, routes=())
    # CONVERT_TO_TEXT: the template sees the base64 of the body.
    requests = [
        (list(one.headers.items()), base64.b64encode(one.body).decode()) for one in deliveries
    ]

    def work() -> int:
        for headers, body in requests:
            exchange = Exchange(api, "POST", f"/{source.name}", headers, [], "192.0.2.1")
            template.render(template_variables(exchange, body))
        return len(requests)

    return work
