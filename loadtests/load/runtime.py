"""The pipeline that a load test starts for itself, in a process of its own.

Run as `python -m loadtests.load.runtime ASSEMBLY STATE`. It leaves when its standard input is
closed: then the load test stops it, or was killed.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from local import endpoints
from local.assembly import find_template
from local.endpoints import NotRunningError
from local.leaving import leave_with_parent
from local.mapping.settings import read_mappings
from local.processes import Child
from local.supervisor import LocalRuntime

if TYPE_CHECKING:
    from loadtests.load.standstill import Standstill
    from local.endpoints import Endpoints

_START_SECONDS = 120.0
_FAN_OUT = "stream_processors.fan_out.handler"


class OwnPipeline:
    """A local pipeline in a process of its own; a context manager.

    Parameters
    ----------
    assembly : Path
        The cloud assembly.
    state : Path
        A state directory that nothing else uses.
    """

    def __init__(self, assembly: Path, state: Path) -> None:
        self._assembly = assembly
        self.state = state
        self._child: Child | None = None
        self._fan_out = ""

    def __enter__(self) -> Self:
        log = self.state / "logs" / "load.txt"
        self._child = Child(
            "the pipeline under load",
            "loadtests.load.runtime",
            arguments=[str(self._assembly), str(self.state)],
            log=log,
        )
        try:
            self._child.wait_for(self._answers, seconds=_START_SECONDS)
        except BaseException:
            self._child.stop()
            raise
        self._fan_out = _mapping_of_fan_out(self._assembly, self.endpoints.region)
        return self

    def __exit__(self, *_: object) -> None:
        if self._child:
            self._child.stop()

    @property
    def endpoints(self) -> Endpoints:
        """Where everything is; NotRunningError where it does not run."""
        return endpoints.read(self.state)

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._child.pid if self._child else 0

    def check(self) -> None:
        """Make sure that it runs; ProcessFailedError otherwise."""
        if self._child:
            self._child.check()

    def settled(self) -> int:
        """Return how many records the fan-out has done with, those it gave up included."""
        fan_out = self._status_of_fan_out()
        return int(fan_out.get("records_settled", 0)) + int(fan_out.get("records_failed", 0))

    def invocations(self) -> dict[str, float]:
        """Return how many invocations of the fan-out there were, and what one took and held."""
        fan_out = self._status_of_fan_out()
        count = int(fan_out.get("invocations", 0))
        return {
            "invocations": count,
            "invocation_ms": round(fan_out.get("invocation_ms", 0) / max(count, 1), 1),
            "events_an_invocation": round(fan_out.get("records_settled", 0) / max(count, 1), 1),
        }

    def wait_until_drained(self, still: Standstill) -> float | None:
        """Wait until the fan-out has done with all that is on the stream by now.

        Parameters
        ----------
        still : Standstill
            Says when it has settled no record for too long.

        Returns
        -------
        float | None
            How many seconds that took; None when it stood still.
        """
        since, start = time.time(), time.monotonic()

        def drained() -> bool:
            self.check()
            fan_out = self._status_of_fan_out()
            return bool(fan_out.get("idle")) and float(fan_out["as_of"]) > since

        return time.monotonic() - start if still.wait(drained, self.settled) else None

    def _status_of_fan_out(self) -> dict[str, Any]:
        with suppress(FileNotFoundError):
            status = json.loads((self.state / "status.json").read_text())
            found: dict[str, Any] = status["mappings"].get(self._fan_out, {})
            return found
        return {}

    def _answers(self) -> bool:
        with suppress(NotRunningError):
            return bool(self.endpoints)
        return False


def _mapping_of_fan_out(assembly: Path, region: str) -> str:
    template = find_template(assembly, region=region)
    for mapping in read_mappings(template):
        if template.resource(mapping.function).properties["Handler"] == _FAN_OUT:
            return mapping.logical_id
    raise AssertionError("the stack has no fan-out")


def main() -> None:
    """Run the pipeline until standard input is closed."""
    leave_with_parent()
    assembly, state = map(Path, sys.argv[1:])
    runtime = LocalRuntime(assembly, state=state, port=None)
    runtime.run_until_stopped(lambda _: None)


if __name__ == "__main__":
    main()
