"""The benchmarks: measuring, the split by step, what is written down and shown."""

from __future__ import annotations

import os
import platform
import re
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from loadtests.bench import measuring, parts, report
from loadtests.bench.__main__ import chosen, rounds
from loadtests.bench.measuring import Contender, CpuSample, Stopwatch, compare
from loadtests.bench.replay_memory import GeneratedArchive, measure
from loadtests.bench.steps import STEPS, examine_by_step, process_by_step
from pipeline.event.events import Outcomes
from pipeline.event.steps import examine
from pipeline.runtime.deadline import Deadline
from pipeline.stream.records import read_records
from tests.support.bench import Bench, generic, github, record
from tests.support.figures import bench_figures

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.event.compiled_source import Catalog

DEADLINE = Deadline(lambda: 60.0)


def test_the_median_is_of_the_rounds_and_the_spread_their_ends() -> None:
    sample = CpuSample([5.0, 1.0, 3.0, 100.0])
    assert sample.median == 4.0
    assert sample.spread == (1.0, 100.0)


def test_contenders_are_measured_by_turns_and_prepared_each_time() -> None:
    calls: list[str] = []

    def contender(name: str) -> Contender:
        def work() -> int:
            calls.append(name)
            return 10

        return Contender(work, lambda: calls.append("prepare"), lambda: calls.append("clean"))

    found = compare({"a": contender("a"), "b": contender("b")}, rounds=2, warm_up=1)
    assert calls == ["prepare", "a", "clean", "prepare", "b", "clean"] * 3
    assert {name: len(sample.rounds) for name, sample in found.items()} == {"a": 2, "b": 2}


def test_what_is_prepared_is_not_measured_and_the_cost_is_that_of_a_unit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = 100.0

    def burn(seconds: float) -> None:
        nonlocal used
        used += seconds

    def work() -> int:
        burn(0.02)
        return 10

    monkeypatch.setattr(measuring, "cpu_seconds", lambda: used)
    costly = Contender(work, prepare=lambda: burn(0.2), clean_up=lambda: burn(0.2))
    found = compare({"one": costly}, rounds=2, warm_up=1)["one"]
    # Of 0.42 seconds of CPU time, 0.02 belong to ten units of work.
    assert found.rounds == pytest.approx([2_000, 2_000])


def test_the_cost_is_the_processor_time_of_this_process() -> None:
    before, clock = measuring.cpu_seconds(), time.process_time()
    while time.process_time() < clock + 0.05:
        pass
    # The kernel may count in ticks; this process has used that time, and waiting is not counted.
    assert measuring.cpu_seconds() > before


def test_a_stopwatch_adds_up_what_is_done_in_several_goes() -> None:
    watch = Stopwatch()
    assert watch("step", lambda: 1) + watch("step", lambda: 2) == 3
    watch("other", lambda: None)
    assert set(watch.steps) == {"step", "other"}


#: Sound events of several kinds, and one for each way to fail in the steps that are split.
RECORDS = [
    record(github({"zen": "x"}, event="anything")),
    record(github({"zen": "x"}, event="ping", delivery="d-2")),
    record(generic({"a": 1})),
    record(generic([1, 2])),
    record(generic(b"{")),
    record(github({"zen": "x"}, secret="another")),
    record(github({"action": "created"}, event="fork", delivery="d-3")),
    record(b"no envelope"),
]


def test_the_split_takes_the_same_steps_as_the_fan_out(bench: Bench, catalog: Catalog) -> None:
    watch, whole, parted = Stopwatch(), Outcomes(), Outcomes()
    secrets = bench.fan_out.secrets
    expected = examine(read_records(RECORDS), whole, catalog, secrets.of)
    events = examine_by_step(read_records(RECORDS), parted, catalog, secrets, watch)
    assert events == expected
    assert len(events) == 2
    assert parted.all == whole.all
    assert set(watch.steps) == {"decode", "verify", "parse", "validate"}


def test_the_split_delivers_what_the_fan_out_delivers(bench: Bench, catalog: Catalog) -> None:
    sound = RECORDS[:3]
    expected = bench.run(*sound)
    other, watch = Bench(catalog), Stopwatch()
    settlement = process_by_step(other.fan_out, sound, DEADLINE, watch)
    assert sorted(str(one) for one in settlement.outcomes) == sorted(
        str(one) for one in expected.outcomes
    )
    assert other.sqs.messages == bench.sqs.messages
    assert other.dynamodb.items == bench.dynamodb.items
    assert set(other.s3.objects) == set(bench.s3.objects)
    assert set(watch.steps) == set(STEPS)


def test_the_report_shows_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    figures = bench_figures()
    report.show(figures)
    shown = "".join(capsys.readouterr())
    for kind in report.KINDS:
        for title in ("microseconds of CPU for an event", "by step"):
            assert f"{kind}: {title}" in shown
    for title in report.GROWTH.values():
        assert title in shown
    for word in ("archiver,", "replay,", "audit,", "authorizer, warm", "receiver,"):
        assert word in shown
    for word in ("mapping template", "local gateway", "fan_out_500", "Memory of a replay"):
        assert word.replace("fan_out_500", "batches of 500 events") in shown
    assert "End to end" in shown
    assert "This machine sustains 1,660 requests a second." in shown
    # Whatever was measured is there: no number of the figures is left out.
    numbers = set(re.findall(r"\d+(?:\.\d+)?", shown.replace(",", "")))
    assert {f"{us}" for us in figures["github_10kb"]["steps_us"].values()} <= numbers
    assert {f"{us}" for us in figures["gateway_us"].values()} <= numbers
    assert {f"{ms}" for ms in figures["first_invocation_ms"].values()} <= numbers


def test_a_part_that_was_not_run_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    figures = bench_figures()
    report.show({"growth": figures["growth"], "machine": figures["machine"]})
    shown = "".join(capsys.readouterr())
    assert "percent of duplicates" in shown
    assert "archiver" not in shown
    assert "End to end" not in shown


def test_figures_are_written_as_json(tmp_path: Path) -> None:
    file = tmp_path / "build" / "bench.json"
    report.write(bench_figures(), file)
    assert orjson.loads(file.read_bytes()) == bench_figures()


def test_a_run_that_is_cut_off_leaves_the_figures_that_were_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bench.json"
    report.write({"growth": 1}, file)

    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="no space"):
        report.write({"growth": 2}, file)
    monkeypatch.undo()
    assert orjson.loads(file.read_bytes()) == {"growth": 1}


CPUINFO = """processor\t: 0
cpu family\t: 6
model\t\t: 207
model name\t: Some(R) Processor @ 2.00GHz
stepping\t: 2

processor\t: 1
model name\t: Another
"""


def test_the_machine_is_named_with_its_processor(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(CPUINFO)
    assert report.processor(cpuinfo) == (
        "Some(R) Processor @ 2.00GHz (family 6, model 207, stepping 2)"
    )
    # Where there is no such list, or one without names, as on arm64, there is another name.
    for text in (None, "processor\t: 0\nBogoMIPS\t: 50.00\n"):
        cpuinfo.unlink() if text is None else cpuinfo.write_text(text)
        assert report.processor(cpuinfo) == (platform.processor() or platform.machine())
    assert report.machine()["processor"] == report.processor()


def test_parts_are_chosen_by_name() -> None:
    assert chosen("growth, fan_out") == ("growth", "fan_out")
    with pytest.raises(Exception, match="no part 'steps'"):
        chosen("fan_out,steps")
    assert set(parts.PARTS) >= {"fan_out", "growth", "archive", "front_door", "cold_start"}
    with pytest.raises(Exception, match="1 or more"):
        rounds("0")


def test_a_generated_archive_is_replayed_in_full_and_an_object_is_always_the_same() -> None:
    archive = GeneratedArchive(10**7)
    (first, *_) = archive.refs()
    whole = [archive.get_object(Key=first.key, Range="bytes=0-99")["Body"].read() for _ in range(2)]
    assert whole[0] == whole[1]
    assert len(whole[0]) == 100
    found: dict[str, Any] = measure(10**7)
    assert found["events"] == archive.events
    assert found["read_mb"] >= 10
    assert found["samples_mb"]
