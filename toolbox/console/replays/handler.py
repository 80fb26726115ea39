"""The pages of replays; each write is a form, and ends with the page of its job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from starlette.responses import RedirectResponse, StreamingResponse
from starlette.routing import Route

from pipeline.errors import PipelineError
from toolbox.console.access import form_of
from toolbox.console.rendering import Problem, html, pages, path_text, render
from toolbox.console.replays.data import planned, planned_again, read_replay, read_replays
from toolbox.console.replays.running import run_plan
from toolbox.console.scene import in_thread, scene_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from toolbox.console.replays.data import ReplayPage
    from toolbox.console.replays.running import ConsoleReplays
    from toolbox.console.scene import ConsoleScene
    from toolbox.replaying.plan import ReplayPlan

_LOOK_SECONDS = 1.0
#: A page that stays open asks for its stream again after that.
_MOST_LOOKS = 1_800


def replays_of(request: Request) -> ConsoleReplays:
    """Return what begins replays."""
    found: ConsoleReplays = request.app.state.replays
    return found


def job_page(job_id: str) -> Response:
    """Lead to the page of a job, after a form."""
    return RedirectResponse(path_text("replays", job_id), 303)


async def show_all(request: Request) -> Response:
    """Show the history, the form and, with `dry` in the address, what would be sent."""
    scene, asked = scene_of(request), dict(request.query_params)
    calls, running = request.state.calls, replays_of(request).running
    job = running.job.id if running and running.job else ""
    page = await in_thread(
        lambda: read_replays(
            scene,
            asked,
            job,
            dry=bool(asked.get("dry")),
            enough=lambda: calls.total > calls.most * 3 // 4,
        )
    )
    return render(request, "replays/replays.html", page)


async def show_one(request: Request) -> Response:
    """Show one replay."""
    scene, job_id = scene_of(request), request.path_params["job"]
    here = replays_of(request).of(job_id)
    page = await in_thread(lambda: read_replay(scene, job_id, here))
    return render(request, "replays/replay.html", page)


async def progress(request: Request) -> Response:
    """Stream how far a replay is, until it ends."""
    await _read(request)  # of one that is not there, there is no stream
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_progress(request), headers=headers, media_type="text/event-stream")


async def _progress(request: Request) -> AsyncIterator[str]:
    for _ in range(_MOST_LOOKS):
        ended = False
        try:
            page = await _read(request)
            ended = not page.is_running
            text = html(request, "replays/progress.html", page)
        except PipelineError as error:
            text = html(request, "templates/told.html", Problem(error.lines))
        yield _sent("progress", text)
        if ended:
            yield _sent("ended", "")
            return
        await anyio.sleep(_LOOK_SECONDS)


async def _read(request: Request) -> ReplayPage:
    scene: ConsoleScene = request.app.state.scene
    job_id = request.path_params["job"]
    here = replays_of(request).of(job_id)
    return await in_thread(lambda: read_replay(scene, job_id, here))


def _sent(name: str, text: str) -> str:
    """Return a server-sent event (HTML Living Standard, the event stream's form)."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n"


async def begin(request: Request) -> Response:
    """Begin a replay of what a form asks for."""
    asked = await form_of(request)
    return await _begin(request, lambda scene: planned(scene, asked))


async def resume(request: Request) -> Response:
    """Have a replay that was stopped go on."""
    asked, job_id = await form_of(request), request.path_params["job"]
    return await _begin(request, lambda scene: planned_again(scene, job_id, asked))


async def _begin(request: Request, make: Callable[[ConsoleScene], ReplayPlan]) -> Response:
    # Its calls are those of its rate, and are not a page's.
    scene: ConsoleScene = request.app.state.scene
    scene.require_writable()
    replays = replays_of(request)
    # Its place is taken first: one that is refused must leave no record of a job that runs.
    job = await in_thread(lambda: replays.begin(lambda one: run_plan(make(scene), one)))
    return job_page(job.id)


async def stop(request: Request) -> Response:
    """Stop the replay that this console runs."""
    scene_of(request).require_writable()
    job_id = request.path_params["job"]
    here = replays_of(request).of(job_id)
    if here is not None:
        here.stop()
    return job_page(job_id)


ROUTES = [
    *pages("/replays", show_all),
    Route("/replays", begin, methods=["POST"]),
    Route("/replays/{job}/progress", progress),
    Route("/replays/{job}/stop", stop, methods=["POST"]),
    Route("/replays/{job}/resume", resume, methods=["POST"]),
    *pages("/replays/{job}", show_one),
]
