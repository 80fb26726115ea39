"""The local pipeline under test, in a process that the soak run can kill.

Run as `python -m loadtests.soak.runtime <settings as JSON>`. It leaves when its standard input is
closed: then the soak run stops it, or was killed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from loadtests.soak.proxy import proxied
from loadtests.soak.saboteur import Saboteur
from local.hooks import Hooks
from local.leaving import leave_with_parent
from local.supervisor import LocalRuntime
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from local.endpoints import Endpoints

#: In the state directory: the log of calls, and the file whose being there ends the kills. The
#: runtime removes a `calls.jsonl`, its own record of calls, when it starts.
CALLS, CALM = "fan-out-calls.jsonl", "calm"


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
    """

    assembly: str
    state: str
    seed: int
    goes_on: bool = False

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
        hooks=Hooks(between=partial(proxied, state=state, seed=settings.seed), watch=saboteur),
    )

    def on_ready(_: Endpoints) -> None:
        if settings.goes_on and not runtime.resumed:
            raise PipelineError("the killed runtime's state was not kept")

    runtime.run_until_stopped(on_ready)


if __name__ == "__main__":
    main()
