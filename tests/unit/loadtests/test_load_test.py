"""The parts of the load test that need no pipeline: thresholds, course, traffic."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from loadtests.fresh import TOKEN, deliverable, fresh_request
from loadtests.load.makers import maker_of
from loadtests.shapes import Shape, users_at
from loadtests.target import NoTargetError, TargetUnderTest
from loadtests.thresholds import Measured, Thresholds
from loadtests.traffic import Traffic, parse_mix
from pipeline.event.fields import find, path_of
from toolbox.sources.samples import authenticate

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource

LIMITS = Thresholds(error_rate=0.01, p95_ms=500, p99_ms=1_500)


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (Measured(1_000, 10, 500, 1_500), []),
        (Measured(1_000, 11, 500, 1_500), ["error rate: 1.100%, at most 1.000%"]),
        (Measured(1_000, 0, 501, 1_500), ["95th percentile: 501 ms, at most 500 ms"]),
        (Measured(1_000, 0, 500, 1_501), ["99th percentile: 1,501 ms, at most 1,500 ms"]),
        (Measured(0, 0, 0, 0), ["no request was sent"]),
    ],
)
def test_thresholds(measured: Measured, said: list[str]) -> None:
    assert list(LIMITS.exceeded(measured)) == said


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("constant", [50, 50, 50, 50, 50]),
        ("ramp", [1, 12, 25, 38, 50]),
        ("spike", [10, 10, 50, 10, 10]),
    ],
)
def test_the_course_of_users(shape: Shape, expected: list[int]) -> None:
    times = (0, 25, 50, 75, 99.9)
    assert [users_at(shape, at, seconds=100, users=50) for at in times] == expected
    assert users_at(shape, 100, seconds=100, users=50) is None
    assert users_at(shape, 0, seconds=100, users=1) == 1


@pytest.fixture
def routed(sources: dict[str, LoadedSource]) -> dict[str, LoadedSource]:
    # A signature within the body is the sender's to make.
    return {
        name: one
        for name, one in sources.items()
        if one.settings.ingest != "poll"
        and not (one.settings.hmac and not one.settings.hmac.header)
    }


def test_each_source_has_samples_that_become_events_of_their_own(
    routed: dict[str, LoadedSource],
) -> None:
    for name, source in routed.items():
        for sample in deliverable(source)[:3]:
            fresh = [fresh_request(sample, "a-secret") for _ in range(20)]
            if not all(one.renewed for one in fresh):
                continue
            assert (
                len({identity(source, one.request.headers, one.request.body) for one in fresh}) > 18
            )
        if source.settings.body is None or source.settings.body.format == "json":
            assert any(fresh_request(sample, "s").renewed for sample in deliverable(source)), name


def identity(source: LoadedSource, headers: dict[str, str], body: bytes) -> object:
    locator = source.settings.delivery_id
    if locator is None:
        return body
    if locator.header is not None:
        return headers[locator.header]
    document = orjson.loads(body)
    split = source.settings.split
    element = find(document, path_of(split.path))[0] if split else document
    return tuple(str(find(element, path_of(path))) for path in locator.all_paths)


def no_clients(service: Any) -> Any:
    raise AssertionError(f"{service}: traffic is made without a service")


def test_traffic_keeps_to_its_mix_and_shares(routed: dict[str, LoadedSource]) -> None:
    secrets = dict.fromkeys(routed, "a-secret")
    target = TargetUnderTest("t", "http://127.0.0.1", routed, secrets, "", "", no_clients)
    mix = parse_mix("github=3,generic=1", list(routed))
    traffic = Traffic(target, mix, duplicates=0.2, bad_requests=0.1)
    sent = [traffic.next() for _ in range(4_000)]
    by_source = Counter(one.source for one in sent)
    by_kind = Counter(one.kind for one in sent)
    # Five standard deviations and more: what is drawn is not what is tested.
    assert 2_800 < by_source["github"] < 3_200
    assert by_source.keys() == {"github", "generic"}
    assert 650 < by_kind["copy"] < 950
    assert 280 < by_kind["bad"] < 520
    earlier = {one.request.body + str(one.request.headers).encode() for one in sent}
    assert len(earlier) < len(sent) - 600, "copies are the same, byte for byte"
    refused = {(one.source, one.statuses) for one in sent if one.kind == "bad"}
    assert refused == {("github", (200, 204)), ("generic", (401, 403))}


def test_no_mix_is_the_same_of_each() -> None:
    assert parse_mix("", ["a", "b"]) == {"a": 1.0, "b": 1.0}
    assert parse_mix("a", ["a", "b"]) == {"a": 1.0}


@pytest.mark.parametrize(
    ("entry", "sizes"), [("github:real", range(500, 100_000)), ("zoom:small", range(1_024, 1_025))]
)
def test_real_payloads_and_small_events_are_signed_and_each_its_own(
    routed: dict[str, LoadedSource], entry: str, sizes: range
) -> None:
    source = routed[entry.partition(":")[0]]
    scheme = source.settings.token or source.settings.hmac
    assert scheme is not None
    maker = maker_of(entry, routed, "a-secret")
    tokens = set()
    for forged in (False, True, False):
        made = maker.make(forged=forged)
        headers, body = made.request.headers, made.request.body
        lower = {name.lower(): value for name, value in headers.items()}
        clock = lower.get("x-zm-request-timestamp", "0")
        proof = authenticate(source, "a-secret", body, now=float(clock), headers=headers)
        assert scheme.header is not None
        assert (headers[scheme.header] == proof[scheme.header]) is not forged
        assert len(body) in sizes
        found = TOKEN.findall(body + str(headers).encode())
        assert {one.decode().replace("-", "") for one in found} == {made.token}
        tokens.add(made.token)
    assert len(tokens) == 3


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ("github:unreal", "expected one of samples, real, small after"),
        ("absent:real", "no such"),
        ("nowhere=1", "no such source"),
        ("github=x", "expected name=weight"),
        ("github=0", "above 0"),
    ],
)
def test_contents_that_are_not_known_are_told(mix: str, said: str) -> None:
    with pytest.raises(NoTargetError, match=said):
        parse_mix(mix, ["github"])


@pytest.mark.parametrize("entry", ["zoom:real", "github:small"])
def test_a_source_without_such_contents_is_told(
    routed: dict[str, LoadedSource], entry: str
) -> None:
    with pytest.raises(NoTargetError, match=f"--mix: {entry}: "):
        maker_of(entry, routed, "a-secret")
