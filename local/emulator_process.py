"""The emulator's process: ministack, with its state kept on disk when it leaves.

Who may call it is in the environment: arguments can be read by every user of the machine.

Run as `python -m local.emulator_process <fd of the listening socket>`. It leaves when its
standard input is closed: then its parent stops it, or was killed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from local import emulator_patches
from local.credentials import RunCredentials
from local.emulator_access import Access
from local.emulator_guard import guarded
from local.emulator_http import serve
from local.files import OWNER_ALONE
from local.iam.mode import IamMode
from local.state import COMPLETE

if TYPE_CHECKING:
    from local.iam.gate import CallGate

_LEAVE_SECONDS = 25.0


def _leave() -> None:
    """Keep the state and leave.

    Called in the event loop, which handles every request: what was answered is in the state, and
    what is not in the state was never answered.
    """
    from ministack import app
    from ministack.core.persistence import STATE_DIR, save_all

    # Where nobody has called it, to import it takes a third of the process's time.
    stacks = sys.modules.get("ministack.services.cloudformation")
    known = stacks._stacks._data.values() if stacks else ()
    if any(str(one.get("StackStatus")).endswith("IN_PROGRESS") for one in known):
        # In the midst of an update, which could not be gone on with.
        asyncio.get_running_loop().call_soon(_leave)
        return
    services = app._build_persistence_save_dict()
    files = [Path(STATE_DIR, f"{name}.json") for name in services]
    for file in files:  # it only logs what it cannot write
        file.unlink(missing_ok=True)
    save_all(services)
    if not all(file.exists() for file in files):
        os._exit(1)
    Path(STATE_DIR, COMPLETE).touch()
    os._exit(0)


def _watch(loop: asyncio.AbstractEventLoop) -> None:
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(_leave)
    time.sleep(_LEAVE_SECONDS)
    os._exit(1)


async def _serve(descriptor: str) -> None:
    access = Access(RunCredentials.read(os.environ), os.environ["SERVICES"].split(","))

    from ministack import app

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, _leave)
    threading.Thread(target=_watch, args=(loop,), daemon=True).start()
    emulator_patches.apply()
    # It never returns: the only way out is `_leave`.
    await serve(guarded(app.app, access, _gate()), socket.socket(fileno=int(descriptor)))


def _gate() -> CallGate | None:
    mode = IamMode(os.environ["IAM_MODE"])
    if mode is IamMode.OFF:
        return None
    from local.iam.gate import CallGate

    return CallGate(Path(os.environ["IAM_STATE"]), enforce=mode is IamMode.ENFORCE)


if __name__ == "__main__":
    os.umask(OWNER_ALONE)
    asyncio.run(_serve(sys.argv[1]))
