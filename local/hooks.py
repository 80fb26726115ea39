"""Where a fault test can take part in a running pipeline."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from local.sandbox import WORKER

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from local.emulator import Emulator
    from local.invocation import Invocation


class CallWatcher(Protocol):
    """Sees every call of a function, in the thread that waits for its answer."""

    def before(self, function: str, event: Any, pid: int) -> None:
        """Take note of a call that begins: the function's handler, the event, the process.

        Not called where the process could not load the handler.
        """

    def after(self, function: str, event: Any, outcome: Invocation) -> None:
        """Take note of how a call ended."""


@dataclass(frozen=True)
class Hooks:
    """What stands between the parts of a running pipeline.

    Parameters
    ----------
    between : Callable[[str], AbstractContextManager[str]]
        Given the emulator's address, gives the address that functions, gateway and mappings use
        in its place: a proxy's, for example. By default they use the emulator's own.
    watch : CallWatcher | None
        Sees the calls that the mappings make.
    emulator : Emulator | None
        One that runs already and goes on when the runtime has ended, as AWS does.
    worker : Path
        The script that runs a handler's process.
    """

    between: Callable[[str], AbstractContextManager[str]] = nullcontext
    watch: CallWatcher | None = None
    emulator: Emulator | None = None
    worker: Path = WORKER
