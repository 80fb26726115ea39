"""Senders on one side, the plan of faults on the other."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from loadtests.soak.plan import Strike
from loadtests.soak.requests import RequestKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loadtests.soak.arena import PipelineUnderTest
    from loadtests.soak.faults import FaultControl
    from loadtests.soak.plan import Planned

_COLLECT_SECONDS = 0.5
_RECORDS = {Strike.POISON: RequestKind.POISON, Strike.HANG: RequestKind.HANG}


class AnySenders(Protocol):
    """Send requests of a mix."""

    def also(self, kind: RequestKind) -> None:
        """Send one of a kind in place of the next request of the mix."""

    async def run(self, seconds: float) -> None:
        """Send for some seconds."""


class Storm:
    """Carries out a plan while senders send.

    Parameters
    ----------
    arena : PipelineUnderTest
        The pipeline; it runs.
    others : Mapping[Strike, Callable[[], None]]
        What is done for strikes that are not known here, each in a thread of its own.
    """

    def __init__(
        self,
        arena: PipelineUnderTest,
        senders: AnySenders,
        control: FaultControl,
        others: Mapping[Strike, Callable[[], None]] = MappingProxyType({}),
    ) -> None:
        self._arena = arena
        self._senders = senders
        self._control = control
        self._others = others
        self.struck: Counter[str] = Counter()
        self._one_at_a_time = asyncio.Lock()
        self._over = False

    async def run(self, plan: Sequence[Planned], seconds: float) -> None:
        """Send and strike for some seconds; at the end no fault is left."""
        self._control.use(self._arena.proxy)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._collect())
            group.create_task(self._carry_out(plan, group))
            await self._senders.run(seconds)
            self._over = True
        self._control.clear()
        self._control.collect()

    async def _carry_out(self, plan: Sequence[Planned], group: asyncio.TaskGroup) -> None:
        start = time.monotonic()
        for planned in plan:
            await asyncio.sleep(max(0.0, start + planned.at - time.monotonic()))
            if planned.strike in _RECORDS:
                self._senders.also(_RECORDS[planned.strike])
                continue
            if planned.strike in self._others and planned.strike is not Strike.DEPLOY:
                group.create_task(asyncio.to_thread(self._others[planned.strike]))
                continue
            async with self._one_at_a_time:
                if planned.strike is Strike.KILL_RUNTIME:
                    await asyncio.to_thread(self._replace_runtime, self._arena.kill_and_restart)
                    self.struck[planned.strike] += 1
                elif planned.strike is Strike.DEPLOY:
                    await asyncio.to_thread(self._replace_runtime, self._others[planned.strike])
                else:
                    await asyncio.to_thread(self._control.add, planned.faults, planned.lasts)

    def _replace_runtime(self, replace: Callable[[], None]) -> None:
        self._control.collect()
        replace()
        self._control.use(self._arena.proxy)

    async def _collect(self) -> None:
        """Read the proxy's counts often: they are gone with a killed runtime."""
        while not self._over:
            await asyncio.sleep(_COLLECT_SECONDS)
            async with self._one_at_a_time:
                await asyncio.to_thread(self._control.collect)
