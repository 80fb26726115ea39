"""The application: the pages' routes, behind the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse
from starlette.routing import Route

from pipeline.errors import PipelineError
from toolbox.console.access import AccessGate
from toolbox.console.assets import Assets
from toolbox.console.audit import handler as audit
from toolbox.console.event import handler as event
from toolbox.console.events import handler as events
from toolbox.console.faults import FaultPages
from toolbox.console.now import handler as now
from toolbox.console.now.data import SharedLook
from toolbox.console.rendering import Problem, environment, render
from toolbox.console.replays import handler as replays
from toolbox.console.replays.running import ConsoleReplays
from toolbox.console.scene import ConsoleTimeoutError, ReadOnlyError, SceneRenewal
from toolbox.console.sources import handler as sources
from toolbox.console.tickets import handler as tickets
from toolbox.terminal.nearest import NotFoundError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from toolbox.console.access import ConsoleAccess
    from toolbox.console.scene import ConsoleScene

#: What a known error is answered with; any other one is 400.
_STATUS: dict[type[PipelineError], int] = {
    NotFoundError: 404,
    ReadOnlyError: 403,
    ConsoleTimeoutError: 504,
}


def build_app(scene: ConsoleScene, access: ConsoleAccess) -> Starlette:
    """Return the application.

    Raises
    ------
    AssetError
        When a file that pages load is not installed.
    """
    assets = Assets()
    app = Starlette(
        routes=[
            Route("/", _home),
            assets.route,
            *now.ROUTES,
            *audit.ROUTES,
            *sources.ROUTES,
            *replays.ROUTES,
            *tickets.ROUTES,
            *events.ROUTES,
            *event.ROUTES,
        ],
        middleware=[
            Middleware(AccessGate, access=access),
            Middleware(FaultPages),
            Middleware(SceneRenewal),
        ],
        exception_handlers={PipelineError: _known_error, HTTPException: _http_error},
    )
    app.state.scene = scene
    app.state.replays = ConsoleReplays()
    app.state.look = SharedLook(scene)
    app.state.templates = environment(assets, access)
    return app


async def _home(_request: Request) -> Response:
    return RedirectResponse("/now", 303)


async def _known_error(request: Request, error: Exception) -> Response:
    lines = error.lines if isinstance(error, PipelineError) else (str(error),)
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    return render(request, "templates/problem.html", Problem(lines), status)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    told = "there is no such page" if status == 404 else str(getattr(error, "detail", error))
    return render(request, "templates/problem.html", Problem((told,)), status)
