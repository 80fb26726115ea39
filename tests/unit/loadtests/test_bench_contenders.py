"""The contenders of the benchmarks do the work that is measured, against the emulator."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loadtests.bench import cold_start, growth
from loadtests.bench.archives import archived, auditing, replaying
from loadtests.bench.arena import Arena, arena
from loadtests.bench.contenders import old_design, powertools, proxy_event
from loadtests.bench.fan_out import schemas
from loadtests.bench.floor import floor
from loadtests.bench.front_door import rendering
from loadtests.bench.handling import invoke
from loadtests.bench.measuring import WorkError
from loadtests.bench.payloads import SMALL_BYTES, envelopes, kinds, records, small_deliveries
from loadtests.bench.sample_events import makers
from loadtests.bench.shipped import Shipped, ship
from loadtests.bench.shipped_work import started
from loadtests.bench.stand_ins import FakeContext
from loadtests.bench.steps import STEPS
from pipeline.event.envelope import decode_envelope
from pipeline.runtime.deadline import Deadline
from stream_processors import fan_out
from tests.support.figures import bench_figures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.event.compiled_source import Catalog


@pytest.fixture(scope="module")
def place(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """The services of the benchmarks; the catalogue of all tests is imported before theirs."""
    with arena(tmp_path_factory.mktemp("bench")) as started:
        yield started
    fan_out.fan_out.cache_clear()


@pytest.fixture(autouse=True)
def _empty_queues(place: Arena) -> None:
    place.empty()


def messages(place: Arena, name: str) -> list[dict[str, Any]]:
    """Everything in a queue."""
    sqs, found = place.emulator.client("sqs"), []
    while batch := sqs.receive_message(
        QueueUrl=place.queues[name], MaxNumberOfMessages=10, VisibilityTimeout=600
    ).get("Messages", []):
        found += [json.loads(one["Body"]) for one in batch]
    return found


def bodies(delivered: list[dict[str, Any]]) -> list[Any]:
    """What the senders wrote, out of the messages; of GitHub's own types a part of `details`."""
    details = [one["details"] for one in delivered]
    found = [one.get("body", one.get("github", one)) for one in details]
    return sorted(map(outline, found), key=json.dumps)


def outline(body: dict[str, Any]) -> dict[str, Any]:
    """Return the scalars at the top: rules of the source's change what is below."""
    return {
        name: value
        for name, value in body.items()
        if not isinstance(value, dict | list) and str(value)[:1] not in {"{", "["}
    }


def usual(place: Arena, batch: list[dict[str, Any]]) -> Callable[[], int]:
    return powertools(place.queues, schemas(place.sources), batch, FakeContext())


@pytest.mark.parametrize("design", ["old_design", "powertools", "fan_out"])
@pytest.mark.parametrize("kind", ["github_10kb", "small_1kb"])
def test_what_a_contender_sends_arrives(place: Arena, kind: str, design: str) -> None:
    deliveries = kinds(place.sources)[kind](12)
    batch = records(envelopes(deliveries, place.sources))
    if design == "old_design":
        requests = [proxy_event(one.source, one.headers, one.body) for one in deliveries]
        assert old_design(place.queues, requests)() == 12
    elif design == "powertools":
        assert usual(place, batch)() == 12
    else:
        invoke(batch)
    sent = sorted((outline(json.loads(one.body)) for one in deliveries), key=json.dumps)
    assert bodies(messages(place, deliveries[0].source)) == sent


def test_powertools_does_not_pass_over_a_bad_signature(place: Arena) -> None:
    (one,) = small_deliveries(place.sources["zoom"], 1)
    forged = type(one)(one.source, one.event_type, one.headers, one.body + b" ")
    good = envelopes(small_deliveries(place.sources["zoom"], 1), place.sources)
    work = usual(place, records([*good, *envelopes([forged], place.sources)]))
    with pytest.raises(WorkError, match="not settled"):
        work()
    assert len(messages(place, "zoom")) == 1


def test_the_floor_counts_events_and_reads_what_it_is_given() -> None:
    encoded = [base64.b64encode(b'{"a":1}')] * 3
    assert floor(encoded)() == 3
    with pytest.raises(ValueError, match="unexpected"):
        floor([base64.b64encode(b"{")])()


@pytest.mark.parametrize("kilobytes", [1, 4, 250])
def test_events_have_the_size_that_is_asked_for(place: Arena, kilobytes: int) -> None:
    first, second = small_deliveries(place.sources["zoom"], 2, kilobytes * SMALL_BYTES)
    assert len(first.body) == len(second.body) == kilobytes * SMALL_BYTES
    assert first.body != second.body


def test_a_delivery_that_is_sent_again_is_a_duplicate(place: Arena) -> None:
    data = envelopes(kinds(place.sources)["github_10kb"](2), place.sources)
    invoke(records(data[:1]))
    repeated = growth.again(data[0])
    assert decode_envelope(repeated).key == decode_envelope(data[0]).key
    settlement = fan_out.fan_out().process(records([repeated, data[1]]), Deadline(lambda: 60.0))
    assert [str(one.kind) for one in settlement.outcomes] == ["duplicate", "delivered"]


def test_the_archive_of_the_benchmarks_is_replayed_and_audited(place: Arena) -> None:
    archive = archived(place, kinds(place.sources)["small_1kb"])
    assert replaying(archive)() == archive.events
    assert auditing(archive)() == archive.events
    del archive.s3.objects[next(iter(archive.s3.objects))]
    with pytest.raises(WorkError, match="expected"):
        replaying(archive)()
    with pytest.raises(WorkError, match="expected"):
        auditing(archive)()


def test_a_template_is_rendered_for_each_request(place: Arena) -> None:
    deliveries = kinds(place.sources)["github_10kb"](3)
    assert rendering(place.sources["github"], deliveries)() == 3


@pytest.fixture(scope="module")
def shipped(place: Arena) -> tuple[Shipped, Shipped]:
    return ship(place.sources, place.folder / "shipped", Path(sys.executable))


@pytest.mark.parametrize("name", ["authorizer", "fan_out"])
def test_a_handler_starts_in_a_fresh_interpreter(
    place: Arena, shipped: tuple[Shipped, Shipped], name: str
) -> None:
    (module,) = [one for one in cold_start.handlers() if one.endswith(f".{name}")]
    before = shipped[0].sizes()
    with makers(place) as make:
        found = cold_start.start(module, place, shipped[0], [make[name](), make[name]()])
    assert shipped[0].sizes() == before
    assert len(found.invocation_ms) == len(found.results) == 2
    assert found.import_ms > 0
    assert found.import_wall_ms > 0
    assert found.peak_memory_mb > 5
    known = {"authorizer": "policyDocument", "fan_out": "batchItemFailures"}
    assert known[name] in found.results[0]


def test_what_ships_has_neither_the_checkout_nor_installed_packages(
    shipped: tuple[Shipped, Shipped],
) -> None:
    program = "import json, sys; import stream_processors.fan_out as h; import orjson; "
    program += "print(json.dumps([h.__cached__, orjson.__file__, sys.path]))"
    ours, warm = shipped
    environment = {"POWERTOOLS_SERVICE_NAME": "bench"}
    module, package, path = json.loads(ours.run(["-c", program], environment).stdout)
    assert Path(module).is_relative_to(ours.code)
    assert Path(package).is_relative_to(ours.packages)
    library = Path(sys.base_prefix)
    rest = [one for one in map(Path, path) if not one.is_relative_to(library)]
    assert rest == [ours.code, ours.packages]
    assert not list(warm.code.rglob("*.pyc"))
    warm.run(["-c", program], environment)
    assert list(warm.code.rglob("*.pyc"))


def test_what_ships_is_measured_in_its_own_interpreter(
    place: Arena, shipped: tuple[Shipped, Shipped], tmp_path: Path
) -> None:
    def batch() -> list[dict[str, Any]]:
        return records(envelopes(kinds(place.sources)["small_1kb"](3), place.sources))

    with started(shipped[0], place.environment, tmp_path / "ours") as measured:
        assert measured("fan_out", [batch(), batch()], 6)["whole"] > 0
        assert measured("no_op_services", batch(), 3)["whole"] > 0
        assert set(measured("steps", batch(), 3)) == set(STEPS)
        assert len(messages(place, "zoom")) == 9
        assert measured("floor", ["e30="] * 10_000, 10_000)["whole"] > 0
        forged = [{**batch()[0], "kinesis": {}}]
        with pytest.raises(WorkError, match="fan_out: the process that measures it has ended"):
            measured("fan_out", [forged], 1)


def test_what_cannot_be_measured_is_an_error(
    shipped: tuple[Shipped, Shipped], tmp_path: Path
) -> None:
    nothing = replace(shipped[0], code=tmp_path)
    with (
        started(nothing, {}, tmp_path / "ours") as measured,
        pytest.raises(WorkError, match="floor: the process that measures it has ended"),
    ):
        measured("floor", [], 1)


def test_a_handler_that_fails_is_an_error_and_no_figure(
    place: Arena, shipped: tuple[Shipped, Shipped]
) -> None:
    with pytest.raises(cold_start.ColdStartError, match=r"stream_processors\.fan_out: ended with"):
        cold_start.start("stream_processors.fan_out", place, shipped[0], [{"no records": []}])


def test_graphs_are_drawn_of_what_there_is(tmp_path: Path) -> None:
    from loadtests.bench.graphs import draw  # matplotlib takes longer than all else of this module

    figures = bench_figures()
    written = draw(figures, tmp_path / "images")
    assert [file.name for file in written] == [
        "bench-contenders.png",
        "bench-steps.png",
        "bench-growth.png",
        "bench-replay-memory.png",
    ]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in written)
    again = draw(figures, tmp_path / "again")
    assert [one.read_bytes() for one in again] == [one.read_bytes() for one in written]
    assert draw({"machine": {}}, tmp_path) == []


def test_the_memory_of_a_million_is_drawn_as_it_is(tmp_path: Path) -> None:
    from loadtests.million.graph import draw_memory
    from loadtests.million.memory import STORE

    samples = [(float(at), 40.0 + at) for at in range(4)]
    held = {"mib_an_hour": 3.0, "most_mib": 43.0, "samples": samples}
    memory = {"fan-out": held, STORE: held}
    one, again = (draw_memory(memory, tmp_path / name) for name in ("one", "again"))
    assert one.read_bytes() == again.read_bytes()
    del memory["fan-out"]
    assert draw_memory({**memory, "archiver": held}, tmp_path).read_bytes() != one.read_bytes()
