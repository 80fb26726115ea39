"""The hostile run: each body by itself, with what it cost and how long others waited."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson

from loadtests.hostile.aggregates import hostile_records
from loadtests.hostile.bodies import hostile_bodies
from loadtests.hostile.light_flow import PARTITION_KEY, LightFlow
from loadtests.hostile.memory import FunctionMemory
from loadtests.load.standstill import Standstill
from pipeline.errors import PipelineError
from pipeline.event.envelope import Envelope, encode_envelope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from loadtests.hostile.bodies import HostileBody
    from loadtests.load.runtime import OwnPipeline

#: A body of the size of R5, and the most that a record of the default size takes.
SIZES = (40_000, 1_048_576 - 2_048)
#: Of each, so many at once: what of one is slow is so of several, and an invocation takes them all.
COPIES = 4
MOST_DELAY_SECONDS = 5.0
STANDSTILL_SECONDS = 120.0
#: What a function says in its log that was killed for its memory, or its time.
_LOST = (b"Runtime.OutOfMemory", b"Sandbox.Timedout", b"Runtime.ExitError")


class HostileRunError(PipelineError):
    """The run came to no end."""


@dataclass(frozen=True)
class Cost:
    """What one kind of input came to.

    Parameters
    ----------
    peak_mib : float
        The highest peak of memory of a consumer's process, in MiB.
    seconds : float
        Until the fan-out had settled all of it.
    delay_seconds : float
        The longest that an event of another source took meanwhile, from stream to queue.
    lost : int
        How many invocations ended without an answer.
    """

    name: str
    bytes: int
    peak_mib: float
    seconds: float
    delay_seconds: float
    lost: int

    @property
    def holds(self) -> bool:
        """Whether nobody waited too long, and no invocation was lost."""
        return self.delay_seconds <= MOST_DELAY_SECONDS and not self.lost


class HostileRun:
    """Throws each input of the corpus at a pipeline, one after the other.

    Parameters
    ----------
    kinesis : Any
        boto3's client.
    flow : LightFlow
        Runs meanwhile.
    """

    def __init__(self, pipeline: OwnPipeline, kinesis: Any, flow: LightFlow) -> None:
        self._pipeline, self._kinesis, self._flow = pipeline, kinesis, flow
        self._memory = FunctionMemory(pipeline.pid)

    def costs(self, sizes: Sequence[int] = SIZES) -> Iterator[Cost]:
        """Return what each came to; first of nothing, for comparison.

        Raises
        ------
        HostileRunError
            When the pipeline stands still.
        """
        yield self._throw("nothing", [])
        for size in sizes:
            for number, one in enumerate(hostile_bodies(size)):
                names = [f"h-{size}-{number}-{copy}" for copy in range(COPIES)]
                yield self._throw(one.name, [_envelope(name, one) for name in names])
            for record in hostile_records(size):
                yield self._throw(record.name, [record.data] * COPIES)

    def _throw(self, name: str, data: list[bytes]) -> Cost:
        self._memory.begin()
        state, stream = self._pipeline.state, self._pipeline.endpoints.stream
        lost, start = _lost(state), time.monotonic()
        for one in data:
            self._kinesis.put_record(StreamName=stream, PartitionKey=PARTITION_KEY, Data=one)
        put = time.monotonic()
        still = Standstill(STANDSTILL_SECONDS)
        if not still.wait(lambda: self._is_behind(put), self._pipeline.settled):
            raise HostileRunError(
                f"{name}: nothing was settled for {STANDSTILL_SECONDS:.0f} s; see {state}/logs"
            )
        return Cost(
            name,
            len(data[0]) if data else 0,
            round(self._memory.peak_mib(), 1),
            round(time.monotonic() - start, 2),
            round(self._flow.longest_since(start), 2),
            _lost(state) - lost,
        )

    def _is_behind(self, put: float) -> bool:
        """Tell whether an event that was put after the hostile ones has come out."""
        self._memory.peak_mib()
        return self._flow.came_out_since(put)


def _envelope(name: str, one: HostileBody) -> bytes:
    now_ms = int(time.time() * 1000)
    return encode_envelope(Envelope(name, now_ms, one.source, "192.0.2.1", one.body))


def write_costs(costs: list[Cost], path: Path) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"most_delay_seconds": MOST_DELAY_SECONDS, "costs": [asdict(one) for one in costs]}
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def _lost(state: Path) -> int:
    logs = (path.read_bytes() for path in (state / "logs").glob("*.log"))
    return sum(log.count(sign + b":") for log in logs for sign in _LOST)
