"""The page "Now": how the pipeline is, live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolbox.console.now.data import read_now
from toolbox.console.rendering import pages, render
from toolbox.console.scene import in_thread, scene_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def show(request: Request) -> Response:
    """Show it once."""
    scene = scene_of(request)
    return render(request, "now/now.html", await in_thread(lambda: read_now(scene)))


ROUTES = pages("/now", show)
