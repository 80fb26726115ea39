"""What is left after a load has the time that it needs, as long as there is progress."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest

from loadtests.load.consumer import Consumer, ConsumerStalledError, Queues
from loadtests.load.ledger import Ledger
from loadtests.load.messages import MessagesError, read_messages
from loadtests.load.runtime import OwnPipeline
from loadtests.load.standstill import Standstill
from local.processes import Child, ProcessFailedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMIT = 60.0


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def standstill(self) -> Standstill:
        return Standstill(LIMIT, self, self.sleep)


def test_what_gets_on_may_take_any_time() -> None:
    clock, left = Clock(), list(range(500))
    still = clock.standstill()

    def progress() -> int:
        clock.sleep(LIMIT - 2)
        return len(left)

    def done() -> bool:
        return not left or left.pop() is None

    assert still.wait(done, progress, every=1)
    assert clock.now > 1_000 + 490 * (LIMIT - 1)


def test_what_stands_still_is_waited_for_no_longer_than_the_limit() -> None:
    clock = Clock()
    assert not clock.standstill().wait(lambda: False, lambda: 7, every=1)
    assert clock.now == 1_000 + LIMIT


def test_the_limit_counts_from_the_last_progress_and_not_from_the_start() -> None:
    clock = Clock()
    assert not clock.standstill().wait(lambda: False, lambda: min(clock.now, 1_500), every=1)
    assert clock.now == pytest.approx(1_500 + LIMIT, abs=1)


class Draining:
    """A consumer's process that still reads when it is told to leave; one look each 50 seconds.

    Parameters
    ----------
    file : Path
        Where it notes messages.
    clock : Clock
        Passes between two looks.
    looks : int
        At how many looks it has noted one more message; then it is at its end.
    ends : bool
        Whether it ends there, and does not stand still.
    """

    name = "the consumer of the queues"

    def __init__(self, file: Path, clock: Clock, looks: int, *, ends: bool) -> None:
        self.file, self.clock, self.looks, self.ends = file, clock, looks, ends
        self.killed = False
        self.log = file.parent / "consumer.txt"

    def __call__(self, *_: Any, **__: Any) -> Draining:
        return self

    def tell(self, line: str) -> None:
        assert json.loads(line)["file"] == str(self.file)

    def stop(self, goes_on: Callable[[], bool]) -> None:
        with self.file.open("w", encoding="ascii") as file:
            for number in range(10**6):
                self.clock.sleep(50)
                if number < self.looks:
                    file.write(f"{number} 1000 token\n")
                elif self.ends:
                    file.write("end\n")
                    return
                file.flush()
                if not goes_on():
                    self.killed = True
                    return


def consumer(file: Path, process: Draining) -> Consumer:
    queues = Queues("http://127.0.0.1:1", "us-west-2", "id", "secret", [], str(file))
    return Consumer(queues, process.log, cast("Callable[..., Child]", process))


def test_a_slow_consumer_that_makes_progress_is_never_ended(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "messages.txt"
    process = Draining(file, clock, 2_000, ends=True)
    consumer(file, process).drain(clock.standstill())
    assert not process.killed
    assert clock.now > 1_000 + 2_000 * 50
    assert len(list(read_messages(file))) == 2_000


def test_a_consumer_that_stands_still_is_ended_and_the_error_says_so(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "messages.txt"
    process = Draining(file, clock, 12, ends=False)
    with pytest.raises(ConsumerStalledError) as raised:
        consumer(file, process).drain(clock.standstill())
    assert process.killed
    said = str(raised.value)
    assert "had noted 12 messages and then none for 60 seconds" in said
    assert "ended with messages left; see " in said
    assert clock.now < 1_000 + 15 * 50


def test_a_consumer_that_fails_is_told_apart_from_one_that_stands_still(tmp_path: Path) -> None:
    class Failing(Draining):
        def stop(self, goes_on: Callable[[], bool]) -> None:
            assert goes_on()
            self.file.write_text("1 1000 token\n")

    clock, file = Clock(), tmp_path / "messages.txt"
    process = Failing(file, clock, 0, ends=True)
    with pytest.raises(ProcessFailedError, match="ended before it had read everything; see "):
        consumer(file, process).drain(clock.standstill())


def test_notes_without_their_last_line_prove_nothing(tmp_path: Path) -> None:
    file = tmp_path / "messages.txt"
    file.write_text("1 1000 token\n")
    with pytest.raises(MessagesError, match="the last line is missing"):
        list(read_messages(file))
    file.write_text("1 1000 token\n2\n")
    with pytest.raises(MessagesError, match="a line is broken off"):
        list(read_messages(file))


#: Leaves only when it can write to a pipe that the test opens, which may be at any time.
WORKER = """
import os, sys
os.write(1, b"runs\\n")
sys.stdin.buffer.read()
os.close(os.open(sys.argv[1], os.O_WRONLY))
os.write(1, b"finished\\n")
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Child, Path, Path]:
    (tmp_path / "slow_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    pipe, log = tmp_path / "pipe", tmp_path / "log.txt"
    os.mkfifo(pipe)
    return Child("a worker", "slow_worker", arguments=[str(pipe)], log=log), pipe, log


def test_a_process_is_given_time_as_long_as_it_gets_on(worker: tuple[Child, Path, Path]) -> None:
    child, pipe, log = worker
    asked: list[int] = []

    def goes_on() -> bool:
        asked.append(len(asked))
        if len(asked) == 3:
            pipe.open("rb").close()  # waits until the worker is there, and lets it finish
        return True

    child.stop(goes_on)
    assert len(asked) >= 3
    assert log.read_text() == "runs\nfinished\n"


def test_a_process_that_does_not_get_on_is_ended(worker: tuple[Child, Path, Path]) -> None:
    child, _, log = worker
    answers = iter([True, True, False])
    child.stop(lambda: next(answers))
    assert next(answers, None) is None
    with pytest.raises(ProcessFailedError, match="a worker ended with status -9"):
        child.check()
    assert "finished" not in log.read_text()


class Settling(OwnPipeline):
    """A pipeline whose fan-out settles one record a look, or none any more."""

    def __init__(self, clock: Clock, left: int, *, stands: bool = False) -> None:
        self.clock, self.left, self.stands = clock, left, stands
        self.done = 0

    def check(self) -> None:
        self.clock.sleep(LIMIT - 1)
        if not self.stands:
            self.left -= 1
            self.done += 1

    def settled(self) -> int:
        return self.done

    def _status_of_fan_out(self) -> dict[str, Any]:
        return {"idle": not self.left, "as_of": float("inf")}


def test_the_backlog_is_waited_for_as_long_as_it_shrinks() -> None:
    clock = Clock()
    assert Settling(clock, 100).wait_until_drained(clock.standstill()) is not None
    assert clock.now > 1_000 + 99 * (LIMIT - 1)
    assert Settling(clock, 100, stands=True).wait_until_drained(clock.standstill()) is None


class Outcomes(Ledger):
    """A ledger in which an event has its outcome at each look, until none comes any more."""

    def __init__(self, open_events: int, coming: int) -> None:
        self.ends = cast("Any", None)
        self._open, self.coming = open_events, coming

    def read(self) -> Any:
        if self.coming:
            self.coming -= 1
            self._open -= 1


def test_outcomes_are_waited_for_as_long_as_they_come() -> None:
    clock, told = Clock(), list[str]()
    Outcomes(500, 500).wait(clock.standstill(), told.append)
    assert told[-1] == "1 events have no outcome yet"
    assert clock.now > 1_000 + LIMIT
    Outcomes(500, 498).wait(clock.standstill(), told.append)
    assert told[-1] == "No event has had its outcome for 60 seconds: given up."
    assert told[-2] == "2 events have no outcome yet"
