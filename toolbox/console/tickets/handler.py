"""The pages of tickets; each write is a form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse
from starlette.routing import Route

from toolbox.console.access import form_of, lists_of
from toolbox.console.rendering import pages, render
from toolbox.console.replays.handler import job_page, replays_of
from toolbox.console.scene import in_thread, scene_of
from toolbox.console.tickets.data import dismiss, list_address, read_one, read_tickets, replay
from toolbox.console.tickets.schema import edited

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from toolbox.console.scene import ConsoleScene


async def show_all(request: Request) -> Response:
    """Show the tickets by cause, or what is in quarantine."""
    scene, query = scene_of(request), dict(request.query_params)
    quarantine = bool(query.get("quarantine"))
    page = await in_thread(lambda: read_tickets(scene, query, quarantine=quarantine))
    return render(request, "tickets/tickets.html", page)


async def show_one(request: Request) -> Response:
    """Show one ticket."""
    scene, name = scene_of(request), request.path_params["ticket"]
    quarantine = bool(request.query_params.get("quarantine"))
    page = await in_thread(lambda: read_one(scene, name, quarantine=quarantine))
    return render(request, "tickets/ticket.html", page)


async def treat(request: Request) -> Response:
    """Dismiss or replay the tickets that a form names, for one reason."""
    scene, asked, names = scene_of(request), await form_of(request), await lists_of(request)
    scene.require_writable()
    tickets = names.get("ticket", [])
    if asked.get("do") == "replay":
        # A replay goes on beyond this request, whose calls are counted.
        own: ConsoleScene = request.app.state.scene
        replays = replays_of(request)
        job = await in_thread(lambda: replays.begin(lambda told: replay(own, tickets, asked, told)))
        return job_page(job.id)
    await in_thread(lambda: dismiss(scene, tickets, asked))
    return RedirectResponse(list_address(dict(request.query_params)), 303)


async def edit(request: Request) -> Response:
    """Show the editor of a schema."""
    scene, name = scene_of(request), request.path_params["ticket"]
    asked = {**request.query_params, "text": ""}
    return render(
        request, "tickets/schema.html", await in_thread(lambda: edited(scene, name, asked))
    )


async def try_or_save(request: Request) -> Response:
    """Try the text of the editor, and save it where that was asked for."""
    scene, name, asked = scene_of(request), request.path_params["ticket"], await form_of(request)
    scene.require_writable()
    save = asked.get("do") == "save"
    page = await in_thread(lambda: edited(scene, name, asked, save=save))
    return render(request, "tickets/schema.html", page)


ROUTES = [
    Route("/tickets", treat, methods=["POST"]),
    *pages("/tickets", show_all),
    Route("/tickets/{ticket}/schema", try_or_save, methods=["POST"]),
    *pages("/tickets/{ticket}/schema", edit),
    *pages("/tickets/{ticket}", show_one),
]
