"""Senders on one side, the plan of faults on the other."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from loadtests.soak.plan import Strike
from loadtests.soak.requests import RequestKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtests.soak.arena import PipelineUnderTest
    from loadtests.soak.faults import FaultControl
    from loadtests.soak.plan import Planned
    from loadtests.soak.senders import Senders

_COLLECT_SECONDS = 0.5
_RECORDS = {Strike.POISON: RequestKind.POISON, Strike.HANG: RequestKind.HANG}


class Storm:
    """Carries out a plan while senders send.

    Parameters
    ----------
    arena : PipelineUnderTest
        The pipeline; it runs.
    """

    def __init__(self, arena: PipelineUnderTest, senders: Senders, control: FaultControl) -> None:
        self._arena = arena
        self._senders = senders
        self._control = control
        self._one_at_a_time = asyncio.Lock()
        self._over = False
        self.runtimes_killed = 0

    async def run(self, plan: Sequence[Planned], seconds: float) -> None:
        """Send and strike for some seconds; at the end no fault is left."""
        self._control.use(self._arena.proxy)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._collect())
            group.create_task(self._carry_out(plan))
            await self._senders.run(seconds)
            self._over = True
        self._control.clear()
        self._control.collect()

    async def _carry_out(self, plan: Sequence[Planned]) -> None:
        start = time.monotonic()
        for planned in plan:
            await asyncio.sleep(max(0.0, start + planned.at - time.monotonic()))
            if planned.strike in _RECORDS:
                self._senders.also(_RECORDS[planned.strike])
                continue
            async with self._one_at_a_time:
                if planned.strike is Strike.KILL_RUNTIME:
                    await asyncio.to_thread(self._kill_runtime)
                else:
                    await asyncio.to_thread(self._control.add, planned.faults, planned.lasts)

    def _kill_runtime(self) -> None:
        self._control.collect()
        self._arena.kill_and_restart()
        self._control.use(self._arena.proxy)
        self.runtimes_killed += 1

    async def _collect(self) -> None:
        """Read the proxy's counts often: they are gone with a killed runtime."""
        while not self._over:
            await asyncio.sleep(_COLLECT_SECONDS)
            async with self._one_at_a_time:
                await asyncio.to_thread(self._control.collect)
