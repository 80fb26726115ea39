"""The local pipeline under test, in a process that the soak run can kill.

Run as `python -m loadtests.soak.runtime <settings as JSON>`. It leaves when its standard input is
closed: then the soak run stops it, or was killed.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from loadtests.soak.proxy import proxied
from loadtests.soak.saboteur import Saboteur
from local.credentials import RunCredentials
from local.emulator import AttachedEmulator
from local.hooks import Hooks
from local.leaving import leave_with_parent
from local.supervisor import LocalRuntime
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from local.endpoints import Endpoints

#: In the state directory: the log of calls, and the file whose being there ends the kills. The
#: runtime removes a `calls.jsonl`, its own record of calls, when it starts.
CALLS, CALM = "fan-out-calls.jsonl", "calm"
REGION = "us-west-2"


@dataclass(frozen=True)
class RuntimeSettings:
    """What the process needs to know.

    Parameters
    ----------
    assembly : str
        The cloud assembly.
    goes_on : bool
        Whether an earlier runtime used the state directory: without what that one kept, the run
        would be worth nothing.
    emulator : str
        Where an emulator runs already, whose credentials are in the environment; empty for one of
        the runtime's own, which is killed with it.
    proxy : str
        The address of a fault proxy that runs already; empty for one of the runtime's own.
    worker : str
        The script that runs handlers; empty for the local runtime's own.
    """

    assembly: str
    state: str
    seed: int
    goes_on: bool = False
    emulator: str = ""
    worker: str = ""
    proxy: str = ""

    def to_json(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))


def main() -> None:
    """Run the pipeline until standard input is closed."""
    leave_with_parent()
    settings = RuntimeSettings(**json.loads(sys.argv[1]))
    state = Path(settings.state)
    saboteur = Saboteur(state / CALLS, calm=state / CALM, seed=settings.seed)
    runtime = LocalRuntime(
        Path(settings.assembly),
        state=state,
        port=None,
        hooks=_hooks(settings, saboteur),
    )

    def on_ready(_: Endpoints) -> None:
        if settings.goes_on and not runtime.resumed:
            raise PipelineError("the killed runtime's state was not kept")

    runtime.run_until_stopped(on_ready)


def _hooks(settings: RuntimeSettings, saboteur: Saboteur) -> Hooks:
    state = Path(settings.state)
    own = partial(proxied, state=state, seed=settings.seed)
    between = (lambda _: nullcontext(settings.proxy)) if settings.proxy else own
    hooks = Hooks(between=between, watch=saboteur)
    if settings.worker:
        hooks = replace(hooks, worker=Path(settings.worker))
    if not settings.emulator:
        return hooks
    running = AttachedEmulator(
        state,
        region=REGION,
        endpoint_url=settings.emulator,
        credentials=RunCredentials.read(os.environ),
    )
    return replace(hooks, emulator=running)


if __name__ == "__main__":
    main()
