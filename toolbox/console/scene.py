"""What the pages read: one deployment, and the sources of this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import anyio
import anyio.to_thread

from pipeline.errors import PipelineError
from toolbox.console.counted import CountedClient, CountedClients, PageCalls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from pipeline.aws.seams import ReadableBucket
    from toolbox.deployments import RunningDeployment
    from toolbox.watching.status import Status

T = TypeVar("T")
#: No page waits longer; what it asked for ends by its own bounds.
PAGE_SECONDS = 60


class ConsoleTimeoutError(PipelineError):
    """A page would have taken too long."""


class ReadOnlyError(PipelineError):
    """The console was not started to write."""


class StatusWatcher(Protocol):
    """What says how a deployment is (`toolbox.watching`)."""

    def look(self, now: float, minutes: int) -> Status:
        """Say how it is."""
        ...

    def history(self, now: float, minutes: int) -> Mapping[str, list[float]]:
        """Return what was counted in each of the last minutes."""
        ...


@dataclass(frozen=True)
class ConsoleScene:
    """What pages read, and whether they may write.

    Parameters
    ----------
    where : RunningDeployment
        Names and clients; `where.local` tells the laptop's.
    stack : str
        The name of a deployed stack; empty for the local pipeline.
    state : Path
        The state directory of the local pipeline; of no meaning with a stack.
    writable : bool
        Whether replays, dismissals, changes of schemas and sending are allowed.
    folders : Callable[[], Mapping[str, Path]]
        Returns the folder of each source of this machine, private ones included.
    private : Path
        Where private sources are.
    """

    where: RunningDeployment
    stack: str
    state: Path
    writable: bool
    watcher: StatusWatcher
    folders: Callable[[], Mapping[str, Path]]
    private: Path
    #: Reads the archive for a quarter of the work of boto3's client; None for that.
    archive: ReadableBucket | None = None
    #: Returns what the pages read from now on, where that is another one.
    renewed: Callable[[], ConsoleScene | None] = lambda: None

    def require_writable(self) -> None:
        """See that a page may write.

        Raises
        ------
        ReadOnlyError
            When it may not.
        """
        if not self.writable:
            raise ReadOnlyError(
                f"{self.where.name}: this console only reads; start it with --write to let it "
                "replay, dismiss, save and send"
            )


def scene_of(request: Request) -> ConsoleScene:
    """Return the scene for one request: its calls to AWS are counted, and their number is bounded.

    The page's footer says how many there were.
    """
    scene: ConsoleScene = request.app.state.scene
    calls: PageCalls = getattr(request.state, "calls", None) or PageCalls()
    request.state.calls = calls
    counted = CountedClients(scene.where.client, calls)
    archive: Any = scene.archive and CountedClient(scene.archive, "s3", calls)
    return replace(scene, where=replace(scene.where, client=counted), archive=archive)


class SceneRenewal:
    """Has each request find the pipeline where it runs by then."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look for it, and hand the request on."""
        state = scope["app"].state
        state.scene = await in_thread(state.scene.renewed) or state.scene
        await self._app(scope, receive, send)


async def in_thread(work: Callable[[], T]) -> T:
    """Do in a thread what takes longer than a page may hold up the others.

    Raises
    ------
    ConsoleTimeoutError
        When it takes too long. The work goes on to its own bounds; nobody waits for it.
    """
    with anyio.move_on_after(PAGE_SECONDS):
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    raise ConsoleTimeoutError(
        f"not done within {PAGE_SECONDS} s; ask for less, such as a narrower time"
    )
