"""The page "Events"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolbox.console.events.data import read_events
from toolbox.console.rendering import pages, render
from toolbox.console.scene import in_thread, scene_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def show(request: Request) -> Response:
    """Search by what is in the address; htmx asks for the rows that follow alone."""
    scene, query = scene_of(request), dict(request.query_params)
    page = await in_thread(lambda: read_events(scene, query))
    further = "after" in query and "hx-request" in request.headers
    return render(request, "events/rows.html" if further else "events/events.html", page)


ROUTES = pages("/events", show)
