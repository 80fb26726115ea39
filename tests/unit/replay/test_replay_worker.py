"""The worker of a distributed replay, as a function."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import PipelineError
from pipeline.replay.filters import FilterError
from pipeline.replay.job import Job, JobError
from pipeline.replay.worker import Batch, BatchError, BatchTimeoutError, ReplayWorker
from pipeline.runtime.environment import SettingsError
from pipeline.stream.shards import StreamUnreachableError
from stream_processors.replay_worker import ReplayWorkerEnvironment
from tests.support.fakes import out_of_reach
from tests.support.replay import HOUR, JOB, FakeArchive, FakeKinesis, line

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

ROOT = Path(__file__).parents[3]


class Workshop:
    def __init__(self, catalog: Catalog) -> None:
        self.s3, self.kinesis = FakeArchive(), FakeKinesis()
        self.refs = [
            self.s3.add(
                f"raw/source=github/dt=2026-11-23/hr={hour}/s-{hour}.jsonl.gz",
                [line(100 * hour + number, replays=number) for number in range(5)],
            )
            for hour in (19, 20, 21)
        ]
        self.worker = ReplayWorker(
            self.s3,
            self.kinesis,
            "archive",
            "stream",
            catalog,
            largest_record=4_096 * 1024,
            clock=lambda: self.now,
        )
        #: Soon after the events arrived.
        self.now = 1_795_464_503.0 + 600
        self.time_left = 900.0

    def event(self, **more: Any) -> dict[str, Any]:
        shared = {"job": JOB, "filter": {}, "rate": 1e6, "limit": 3, "force": False, **more}
        items = [{"Key": ref.key, "Size": ref.size} for ref in self.refs]
        return {"BatchInput": shared, "Items": items}

    def replay(self, **more: Any) -> dict[str, Any]:
        return self.worker.replay(Batch.read(self.event(**more)), lambda: self.time_left)


@pytest.fixture
def workshop(catalog: Catalog) -> Workshop:
    return Workshop(catalog)


def test_a_batch_is_replayed_and_counted(workshop: Workshop) -> None:
    result = workshop.replay()
    assert result["job"] == JOB
    assert result["counts"] == {
        "objects": 3,
        "objects_read": 3,
        "read": 15,
        "matched": 15,
        "sent": 9,
        "limit": 6,
    }
    assert len(result["problems"]) == 6
    assert {one.replay for one in workshop.kinesis.envelopes()} == {JOB}
    assert not any(key.startswith("jobs/") for key in workshop.s3.objects)


def test_the_filter_is_kept_and_objects_of_other_hours_are_not_read(workshop: Workshop) -> None:
    wanted = {
        "kinds": ["raw"],
        "sources": ["github"],
        "event_types": ["push"],
        "from": 1_795_464_000.0,
        "to": 1_795_464_600.0,
    }
    result = workshop.replay(filter=wanted, limit=100, force=True)
    assert {key for key, _, _ in workshop.s3.ranges} == {workshop.refs[1].key}
    assert HOUR in workshop.refs[1].key
    assert result["counts"]["objects_read"] == 1
    assert result["counts"]["sent"] == 5
    assert {one.force for one in workshop.kinesis.envelopes()} == {True}


def test_ids_come_from_the_archive(workshop: Workshop) -> None:
    key = workshop.worker._store.save_ids(JOB, {"request-1901", "delivery-2102"})
    workshop.replay(filter={"ids": key})
    assert workshop.kinesis.ids() == ["request-1901", "request-2102"]
    with pytest.raises(JobError):
        workshop.worker.replay(
            Batch.read(workshop.event(job="replay-20261123T210000-ffff", filter={"ids": "x"})),
            lambda: 900.0,
        )


def test_what_was_delivered_before_is_left_out_unless_forced(workshop: Workshop) -> None:
    def entry(identifier: str, outcome: str) -> dict[str, Any]:
        return {**line(1), "id": identifier, "outcome": outcome, "reason": None}

    workshop.s3.add(
        f"ledger/{HOUR}/shardId-000000000000-1.jsonl.gz",
        [entry("request-1900", "delivered"), entry("request-2001", "rejected")],
    )
    earlier = Job("replay-20261123T203000-aaaa", {}, "", {}, {}, counts={"sent": 1},
                  finished="2026-11-23T21:10:00+00:00")  # fmt: skip
    workshop.worker._store.save(earlier)
    workshop.s3.add(
        "ledger/dt=2026-11-23/hr=21/shardId-000000000001-1.jsonl.gz",
        [entry(f"request-2001@{earlier.id}", "delivered")],
    )
    wanted = {"ids": workshop.worker._store.save_ids(JOB, {"request-1900", "request-2001"})}
    counts = workshop.replay(filter=wanted)["counts"]
    assert (counts["matched"], counts["delivered"], counts.get("sent", 0)) == (2, 2, 0)
    assert workshop.kinesis.ids() == []
    # A ledger that cannot be read is no hindrance where it is not asked.
    workshop.s3.objects[f"ledger/{HOUR}/shardId-000000000000-1.jsonl.gz"] = b"no gzip"
    again = "replay-20261123T210000-ffff"
    counts = workshop.replay(filter=wanted, force=True, job=again)["counts"]
    assert counts["sent"] == 2
    assert {one.force for one in workshop.kinesis.envelopes()} == {True}


@pytest.mark.parametrize(
    "change",
    [
        {"job": "x"},
        {"job": None},
        {"filter": None},
        {"rate": "fast"},
        {"rate": 0},
        {"rate": float("nan")},
        {"limit": None},
    ],
)
def test_a_wrong_input_is_said(workshop: Workshop, change: dict[str, Any]) -> None:
    with pytest.raises((BatchError, JobError)):
        Batch.read(workshop.event(**change))


def test_an_event_that_is_none_and_a_filter_that_is_not_understood(workshop: Workshop) -> None:
    events: list[Any] = [{}, {"BatchInput": {}}, {"BatchInput": [], "Items": []}]
    for event in events:
        with pytest.raises(BatchError):
            Batch.read(event)
    with pytest.raises(FilterError):
        workshop.replay(filter={"source": "github"})
    assert workshop.kinesis.calls == 0


def test_a_batch_that_takes_too_long_is_not_taken_for_done(workshop: Workshop) -> None:
    workshop.time_left = 9.0
    with pytest.raises(BatchTimeoutError, match="higher rate"):
        workshop.replay()


def test_a_stream_out_of_reach_is_raised(workshop: Workshop) -> None:
    workshop.kinesis.faults = [out_of_reach()] * 1000
    workshop.time_left = 11.0
    with pytest.raises(StreamUnreachableError):
        workshop.replay()


def test_broken_objects_are_no_reason_to_raise(workshop: Workshop) -> None:
    workshop.s3.objects[workshop.refs[0].key] = b"no gzip"
    del workshop.s3.objects[workshop.refs[1].key]
    counts = workshop.replay()["counts"]
    assert counts["unreadable"] == 2
    assert counts["sent"] == 3


def test_the_environment() -> None:
    environ = {"ARCHIVE_BUCKET": "b", "STREAM_NAME": "s", "MAX_RECORD_KIB": "4096"}
    assert ReplayWorkerEnvironment.read(environ) == ReplayWorkerEnvironment("b", "s", 4_194_304)
    for wrong in ("0", "-1", "1.5", "1e3", "²", "1" * 5_000):
        with pytest.raises(SettingsError, match="MAX_RECORD_KIB"):
            ReplayWorkerEnvironment.read({**environ, "MAX_RECORD_KIB": wrong})
    for name in environ:
        with pytest.raises(SettingsError, match=name):
            ReplayWorkerEnvironment.read({**environ, name: ""})
    assert issubclass(SettingsError, PipelineError)


def test_a_cold_start_loads_nothing_of_the_command_line() -> None:
    code = "import stream_processors.replay_worker, sys; print(*sys.modules)"
    environment = {"PYTHONPATH": str(ROOT), "POWERTOOLS_SERVICE_NAME": "s", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert not {"typer", "rich", "pydantic", "yaml", "aiohttp"} & set(done.stdout.split())


def test_what_the_stage_allows_in_a_record_the_worker_sends(
    workshop: Workshop, catalog: Catalog
) -> None:
    """One size above the default, and the largest that there is to the byte."""
    workshop.kinesis.largest_record = 4_096 * 1024
    large = line(1, body="x" * 1_500_000)
    workshop.refs = [workshop.s3.add("raw/source=github/dt=2026-11-23/hr=19/l.jsonl.gz", [large])]
    assert workshop.replay()["counts"]["sent"] == 1
    (sent,) = workshop.kinesis.envelopes()
    assert sent.body == b"x" * 1_500_000
    small = ReplayWorker(
        workshop.s3, workshop.kinesis, "archive", "stream", catalog, largest_record=1_024 * 1024
    )
    counts = small.replay(
        Batch.read(workshop.event(job="replay-20261124T000000-0001")), lambda: 900
    )
    assert counts["counts"]["too_large"] == 1
