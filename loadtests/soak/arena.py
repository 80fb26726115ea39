"""The pipeline under test from outside: started, killed, started again, waited for."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from loadtests.soak.proxy import ADDRESS
from local import emulator, endpoints
from local.endpoints import NotRunningError
from local.processes import Child
from local.state import LOCK_NAME, StateInUseError, in_use

if TYPE_CHECKING:
    from loadtests.load.standstill import Standstill
    from loadtests.soak.runtime import RuntimeSettings
    from local.clients import Clients
    from local.credentials import RunCredentials
    from local.endpoints import Endpoints

_START_SECONDS = 120.0


def empty(state: Path) -> None:
    """Make the directory of a run, or empty that of an earlier one.

    Raises
    ------
    StateInUseError
        When that one still runs.
    """
    if (state / LOCK_NAME).exists() and in_use(state):
        raise StateInUseError(f"{state}: another run uses it; name another with --state")
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)


class PipelineUnderTest:
    """A local pipeline in a process of its own; a context manager.

    Parameters
    ----------
    credentials : RunCredentials | None
        Those of an emulator that runs already.
    """

    def __init__(
        self, settings: RuntimeSettings, credentials: RunCredentials | None = None
    ) -> None:
        self._settings = settings
        # Of the memory that one thread has freed, the C library lets others have none.
        self._environment = {"MALLOC_ARENA_MAX": "2"}
        if credentials:
            self._environment |= credentials.environment()
        self._child: Child | None = None
        self.state = Path(settings.state)
        self.where: Endpoints | None = None

    @property
    def endpoints(self) -> Endpoints:
        """Where everything is, or was before it was killed."""
        if self.where is None:
            raise NotRunningError("the pipeline under test does not run")
        return self.where

    @property
    def proxy(self) -> str:
        """The address of the fault proxy."""
        return (self.state / ADDRESS).read_text()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._child:
            self._child.stop()

    def start(self) -> None:
        """Start the pipeline and wait until all of it answers; PipelineError when it does not."""
        self._child = Child(
            "the pipeline under test",
            "loadtests.soak.runtime",
            arguments=[self._settings.to_json()],
            environment=self._environment,
            log=self.state / "logs" / "soak.txt",
        )
        try:
            self._child.wait_for(self._answers, seconds=_START_SECONDS)
        except BaseException:
            self._child.stop()
            raise
        self._settings = replace(self._settings, goes_on=True)

    def kill_and_restart(self) -> None:
        """Kill the process of this pipeline, and start the next one on the same state."""
        if self._child:
            os.kill(self._child.pid, signal.SIGKILL)
            self._child.stop()
        self.start()

    def deploy(self, assembly: Path) -> None:
        """End this pipeline in order, and start that of another cloud assembly on its state."""
        if self._child:
            self._child.stop()
        self._settings = replace(self._settings, assembly=str(assembly))
        self.start()

    @property
    def client(self) -> Clients:
        """What makes a client of a service, past the fault proxy."""
        where = self.endpoints
        return emulator.clients(
            endpoint_url=where.aws_endpoint_url, region=where.region, credentials=where.credentials
        )

    def wait_until_drained(self, still: Standstill) -> float | None:
        """Wait until all that is on the stream by now is settled.

        Parameters
        ----------
        still : Standstill
            Says when no record was settled for too long.

        Returns
        -------
        float | None
            How many seconds that took; None when it stood still before.
        """
        since, start = time.time(), time.monotonic()

        def drained() -> bool:
            if self._child:
                self._child.check()
            status = self._status()
            return bool(status.get("idle")) and float(status["as_of"]) > since

        return time.monotonic() - start if still.wait(drained, self._settled) else None

    def _settled(self) -> list[int]:
        mappings = self._status().get("mappings", {}).values()
        return [each["records_settled"] + each["records_failed"] for each in mappings]

    def settled(self) -> int:
        """Return how many records the mappings of the present runtime have done with."""
        return sum(self._settled())

    def _status(self) -> dict[str, Any]:
        with suppress(FileNotFoundError):
            status: dict[str, Any] = json.loads((self.state / "status.json").read_text())
            return status
        return {}

    def _answers(self) -> bool:
        with suppress(NotRunningError):
            self.where = endpoints.read(self.state)
            return True
        return False
