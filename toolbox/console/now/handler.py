"""The page "Now": how the pipeline is, live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from starlette.routing import Route

from pipeline.errors import PipelineError
from toolbox.console.rendering import Problem, html, pages, render, sent_event, streamed
from toolbox.console.scene import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from toolbox.console.now.data import SharedLook


async def show(request: Request) -> Response:
    """Show it once."""
    look: SharedLook = request.app.state.look
    return render(request, "now/now.html", await in_thread(look.page))


async def stream(request: Request) -> Response:
    """Send the page's content again whenever it changed, as server-sent events."""
    return streamed(request, _changes(request))


async def _changes(request: Request) -> AsyncIterator[str]:
    look: SharedLook = request.app.state.look
    sent = ""
    while True:
        try:
            text = html(request, "now/content.html", await in_thread(look.page))
        except PipelineError as error:
            text = html(request, "templates/told.html", Problem(error.lines))
        yield sent_event("now", text) if text != sent else ": the same\n\n"
        sent = text
        await anyio.sleep(look.every)


ROUTES = [*pages("/now", show), Route("/now/stream", stream)]
