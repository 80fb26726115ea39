"""A GetRecords that found nothing waits at the emulator until there is something, for who asks so.

AWS has no such call: whoever reads a stream asks again and again. The mappings of the local runtime
ask by a header of their own, so that a pipeline at rest needs next to no processor and one that is
not at rest reads at once. Every other caller has AWS's API.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.emulator_shards import END

if TYPE_CHECKING:
    from collections.abc import Callable

# Of a request: for how many seconds at most. Less than the read timeouts on the way, or the caller
# gives up and asks again.
HOLD_HEADER = "x-local-hold"
# Of its answer: how many seconds after it came in the shard was looked at.
HELD_HEADER = "x-local-held"
USED = (
    "handle_request",
    "_put_record",
    "_put_records",
    "put_record_internal",
    "_shard_iterators",
    "_streams",
)


@dataclass(frozen=True)
class _Waiting:
    """A call that waits for a shard to have more records than before its iterator."""

    found: Callable[[], bool]
    loop: asyncio.AbstractEventLoop
    event: asyncio.Event


class Hold:
    """Holds GetRecords at the emulator's Kinesis module.

    Parameters
    ----------
    kinesis : Any
        The module; see `USED` for what is needed of it.
    """

    def __init__(self, kinesis: Any) -> None:
        self._kinesis = kinesis
        self._answer = kinesis.handle_request
        self._waiting: set[_Waiting] = set()

    def install(self) -> None:
        """Put itself into the module."""
        for name in ("_put_record", "_put_records", "put_record_internal"):
            setattr(self._kinesis, name, self._then_wake(getattr(self._kinesis, name)))
        self._kinesis.handle_request = self.handle_request

    async def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer a request; one that asks for it when its shard has records, or time is up."""
        seconds = _asked(headers)
        if seconds is None:
            answer: tuple[int, dict[str, str], bytes] = await self._answer(
                method, path, headers, body, query
            )
            return answer
        began = time.monotonic()
        await self._wait(json.loads(body), seconds)
        held = time.monotonic() - began
        status, sent, content = await self._answer(method, path, headers, body, query)
        return status, {**sent, HELD_HEADER: f"{held:.6f}"}, content

    async def _wait(self, asked: dict[str, Any], seconds: float) -> None:
        found = self._look(asked)
        if found():
            return
        waiting = _Waiting(found, asyncio.get_running_loop(), asyncio.Event())
        self._waiting.add(waiting)
        try:
            async with asyncio.timeout(seconds):
                await waiting.event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(waiting)

    def _look(self, asked: dict[str, Any]) -> Callable[[], bool]:
        """Return what tells whether the call has something to answer: records, or an error."""
        state = self._kinesis._shard_iterators.get(asked.get("ShardIterator"))
        stream = self._kinesis._streams.get(state["stream"]) if state else None
        shard = stream["shards"].get(state["shard_id"]) if stream else None
        if shard is None:
            return lambda: True
        return lambda: len(shard["records"]) > state["position"] or END in shard

    def _then_wake(self, put: Callable[..., Any]) -> Callable[..., Any]:
        def put_and_wake(*arguments: Any, **named: Any) -> Any:
            answer = put(*arguments, **named)
            for waiting in list(self._waiting):
                if waiting.found():
                    # `put_record_internal` may be called in any thread.
                    waiting.loop.call_soon_threadsafe(waiting.event.set)
            return answer

        return put_and_wake


def _asked(headers: dict[str, str]) -> float | None:
    """Return for how long a request is to be held; None for one that is not."""
    reads = headers.get("x-amz-target", "").endswith(".GetRecords")
    if not reads or "json" not in headers.get("content-type", ""):
        return None
    try:
        seconds = float(headers.get(HOLD_HEADER, ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
