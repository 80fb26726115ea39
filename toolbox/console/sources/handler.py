"""The pages "Sources": all, one, a trial, and a test event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from toolbox.console.access import form_of
from toolbox.console.rendering import JSON, pages, render
from toolbox.console.scene import in_thread, scene_of
from toolbox.console.sources.data import read_source, read_sources
from toolbox.console.sources.trying import TryForm, read_form, send_sample, try_form

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_LIST, _ONE, _TRY = "sources/sources.html", "sources/source.html", "sources/try.html"


async def show_all(request: Request) -> Response:
    """Show every source by its kind."""
    scene, wanted = scene_of(request), request.query_params.get("q", "")
    return render(request, _LIST, await in_thread(lambda: read_sources(scene, wanted)))


async def show_one(request: Request) -> Response:
    """Show how one is set, and what its sender needs."""
    scene, name = scene_of(request), request.path_params["name"]
    return render(request, _ONE, await in_thread(lambda: read_source(scene, name)))


async def show_try(request: Request) -> Response:
    """Show the form of a trial, with a sample filled in where one is named."""
    scene, name = scene_of(request), request.path_params["name"]
    sample = request.query_params.get("sample", "")
    return render(request, _TRY, await in_thread(lambda: read_form(scene, name, sample)))


async def try_it(request: Request) -> Response:
    """Try what the form has, and show each step."""
    scene, name = scene_of(request), request.path_params["name"]
    fields = await form_of(request)
    form, secret = TryForm.of(fields), fields.get("secret", "").strip()
    return render(request, _TRY, await in_thread(lambda: try_form(scene, name, form, secret)))


async def send_it(request: Request) -> Response:
    """Send a sample, and show the source with what was answered."""
    scene, name = scene_of(request), request.path_params["name"]
    sample = (await form_of(request)).get("sample", "")
    sent = await in_thread(lambda: send_sample(scene, name, sample))
    return render(request, _ONE, await in_thread(lambda: read_source(scene, name, sent)))


_TRIAL = "/sources/{name}/try"
ROUTES = [
    Route(_TRIAL + JSON, try_it, methods=["POST"]),
    Route(_TRIAL, try_it, methods=["POST"]),
    Route("/sources/{name}/send", send_it, methods=["POST"]),
    *pages("/sources", show_all),
    *pages(_TRIAL, show_try),
    *pages("/sources/{name}", show_one),
]
