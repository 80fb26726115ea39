"""A sender that writes the time of signing in its body: what plays it writes the present time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
import yaml

from loadtests.fresh import fresh_request
from pipeline.event.outcomes import Reason
from settings.source.loader import load_source
from tests.support.schemes import fault
from tests.support.signing_senders import SENDERS
from toolbox.sources.rehearsal import compiled
from toolbox.sources.samples import dated, load_samples
from toolbox.traffic.requests import make_requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.compiled_source import CompiledSource
    from settings.source.loader import LoadedSource
    from toolbox.sources.samples import SampleRequest

LINEAR = SENDERS["linear"]
BODY = '{"webhookId": "w", "webhookTimestamp": 1676056940508}'


@pytest.fixture(scope="module", params=["body", "header"])
def linear(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> LoadedSource:
    """Its events are told apart by a field of the body, or by a header that nobody signs."""
    folder: Path = tmp_path_factory.mktemp(request.param) / "linear"
    (folder / "samples").mkdir(parents=True)
    place = {"header": "Linear-Delivery"} if request.param == "header" else {"path": "webhookId"}
    document = {
        "version": 1,
        "title": "Linear",
        "authentication": {"type": "hmac", **LINEAR.authentication},
        "headers": {"keep": ["Linear-Signature", "Linear-Delivery"]},
        "delivery_id": place,
    }
    (folder / "source.yaml").write_text(yaml.safe_dump(document))
    sample = {"description": "x", "body": BODY, "headers": {"Linear-Delivery": "1"}}
    for name, end in (("one", {}), ("stale", {"outcome": "rejected", "reason": "stale_signature"})):
        more = {"sign": "stale"} if end else {}
        text = {**sample, **more, "expect": end or {"outcome": "delivered"}}
        (folder / "samples" / f"{name}.yaml").write_text(yaml.safe_dump(text))
    return load_source(folder)


@pytest.fixture(scope="module")
def source(linear: LoadedSource) -> Iterator[CompiledSource]:
    with compiled({"linear": linear}) as catalog:
        yield catalog.sources["linear"]


def says(source: CompiledSource, request: SampleRequest) -> Reason | None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return fault(source, LINEAR.secret, headers, request.body, int(time.time() * 1000))


def test_each_player_writes_the_present_time(linear: LoadedSource, source: CompiledSource) -> None:
    one, stale = load_samples(linear)
    assert says(source, one.request((LINEAR.secret,), time.time())) is None
    assert says(source, stale.request((LINEAR.secret,), time.time())) is Reason.STALE_SIGNATURE
    fresh = [fresh_request(one, LINEAR.secret).request for _ in range(2)]
    sent = [made.request for made in make_requests(linear, (), secret=LINEAR.secret, count=2)]
    for request in (*fresh, *sent):
        assert says(source, request) is None
        assert orjson.loads(request.body)["webhookTimestamp"] != 1676056940508
    assert len({request.body for request in (*fresh, *sent)}) == 4


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"1", b'{"other": 1}', b'{"a": {"webhookTimestamp": 1}}']
)
def test_a_body_without_that_time_stays_as_it_is(linear: LoadedSource, body: bytes) -> None:
    assert dated(linear, body, now=7) == body
