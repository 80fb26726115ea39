"""The page of one event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolbox.console.event.data import read_event
from toolbox.console.rendering import pages, render
from toolbox.console.scene import in_thread, scene_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def show(request: Request) -> Response:
    """Show all that is known of an id."""
    scene, query = scene_of(request), dict(request.query_params)
    identifier = request.path_params["identifier"]
    page = await in_thread(lambda: read_event(scene, identifier, query))
    return render(request, "event/event.html", page)


ROUTES = pages("/events/{identifier:path}", show)
