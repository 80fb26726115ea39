"""The pipeline that a load test starts for itself, in a process of its own.

Run as `python -m loadtests.load.runtime ASSEMBLY STATE`. It leaves when its standard input is
closed: then the load test stops it, or was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pipeline.local import endpoints
from pipeline.local.assembly import find_template
from pipeline.local.endpoints import NotRunningError
from pipeline.local.mapping.settings import read_mappings
from pipeline.local.processes import Child
from pipeline.local.supervisor import LocalRuntime

if TYPE_CHECKING:
    from pipeline.local.endpoints import Endpoints

_START_SECONDS = 120.0
_LOOK_SECONDS = 0.1
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
        """Give how many records the fan-out has done with, those it gave up included."""
        fan_out = self._status_of_fan_out()
        return int(fan_out.get("records_settled", 0)) + int(fan_out.get("records_failed", 0))

    def wait_until_drained(self, seconds: float) -> float | None:
        """Wait until the fan-out has done with all that is on the stream by now.

        Returns
        -------
        float | None
            How many seconds that took; None when it took longer than it may.
        """
        since, start = time.time(), time.monotonic()
        while time.monotonic() < start + seconds:
            fan_out = self._status_of_fan_out()
            if fan_out.get("idle") and fan_out["as_of"] > since:
                return time.monotonic() - start
            self.check()
            time.sleep(_LOOK_SECONDS)
        return None

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


def _leave_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the pipeline until standard input is closed."""
    assembly, state = map(Path, sys.argv[1:])
    runtime = LocalRuntime(assembly, state=state, port=None)
    watch = threading.Thread(target=_leave_with_parent, daemon=True)
    runtime.run_until_stopped(lambda _: watch.start())


if __name__ == "__main__":
    main()
