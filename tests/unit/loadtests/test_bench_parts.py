"""A part of the benchmarks that fails is named, and the figures of the others are kept."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest

from loadtests.bench import __main__ as bench
from loadtests.bench import parts, report
from loadtests.bench.measuring import WorkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def measures(name: str) -> Callable[..., dict[str, Any]]:
    return lambda *_: {name: 1}


def fails(error: Exception) -> Callable[..., dict[str, Any]]:
    def measure(*_: Any) -> dict[str, Any]:
        raise error

    return measure


@contextmanager
def no_arena(*_: Any) -> Iterator[object]:
    yield object()


@contextmanager
def broken_arena(*_: Any) -> Iterator[object]:
    raise WorkError("the emulator does not answer")
    yield


def stand_ins(monkeypatch: pytest.MonkeyPatch, arena: Any = no_arena, **measure: Any) -> None:
    """Have every part measure nothing, but those that are given."""
    monkeypatch.setattr(parts, "arena", arena)
    for table in (parts._IN_ARENA, parts._ALONE):
        for name in table:
            work = measure.get(name, measures(name))
            monkeypatch.setitem(cast("dict[str, Any]", table), name, (f"doing {name}", work))


def run(monkeypatch: pytest.MonkeyPatch, file: Path, *words: str) -> tuple[int, Any]:
    """Run the benchmarks; give the exit status and what is in the file."""
    monkeypatch.setattr(sys, "argv", ["bench", "--output", str(file), "--rounds", "1", *words])
    monkeypatch.setattr(bench, "end_in_order", lambda: None)
    monkeypatch.setattr(report, "show", lambda _: None)
    status = 0
    try:
        bench.main()
    except SystemExit as error:
        status = int(str(error.code))
    return status, orjson.loads(file.read_bytes())


def test_all_parts_are_in_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_ins(monkeypatch)
    status, figures = run(monkeypatch, tmp_path / "bench.json")
    assert status == 0
    assert set(figures) == {"machine", "rounds", *parts.PARTS}


@pytest.mark.parametrize("part", ["growth", "gateway"])
def test_a_part_that_fails_is_named_and_the_others_are_kept(
    part: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_ins(monkeypatch, **{part: fails(WorkError("an event was not delivered"))})
    status, figures = run(monkeypatch, tmp_path / "bench.json")
    assert status == 1
    assert figures["failed"] == {part: "an event was not delivered"}
    assert set(figures) == {"machine", "rounds", "failed", *parts.PARTS} - {part}
    assert f"{part} failed: an event was not delivered" in capsys.readouterr().err


def test_what_nobody_has_foreseen_is_shown_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_ins(monkeypatch, archive=fails(KeyError("Records")))
    status, figures = run(monkeypatch, tmp_path / "bench.json", "--only", "archive,gateway")
    assert status == 1
    assert figures["failed"] == {"archive": "KeyError: 'Records'"}
    assert figures["gateway"] == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "in measure" in said


def test_parts_whose_services_cannot_start_fail_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_ins(monkeypatch, arena=broken_arena)
    status, figures = run(monkeypatch, tmp_path / "bench.json")
    assert status == 1
    assert figures["failed"] == dict.fromkeys(parts._IN_ARENA, "the emulator does not answer")
    assert set(parts._ALONE) <= set(figures)


def test_no_part_finds_in_the_services_what_another_has_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A replay's first invocation took four times as long where the growth was measured before."""
    found: list[list[str]] = []

    @contextmanager
    def services(*_: Any) -> Iterator[list[str]]:
        yield []

    def leaves(left: list[str], _: int) -> dict[str, Any]:
        found.append(list(left))
        left.append("an object of the ledger")
        return {}

    stand_ins(monkeypatch, arena=services, **dict.fromkeys(parts._IN_ARENA, leaves))
    status, _ = run(monkeypatch, tmp_path / "bench.json")
    assert status == 0
    assert found == [[] for _ in parts._IN_ARENA]


def test_the_file_has_each_part_as_soon_as_it_has_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, seen = tmp_path / "bench.json", dict[str, set[str]]()

    def look(*_: Any) -> dict[str, Any]:
        seen["then"] = set(orjson.loads(file.read_bytes()))
        raise KeyboardInterrupt

    stand_ins(monkeypatch, replay_memory=look, growth=fails(WorkError("no")))
    file.write_text('{"of": "an earlier run"}')
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, file)
    before = set(parts.PARTS) - {"growth", "replay_memory", "end_to_end"}
    assert seen["then"] == {"machine", "rounds", "failed", *before}
    assert {"fan_out", "proofs"} <= before
