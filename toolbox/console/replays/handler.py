"""The pages of replays; each write is a form, and ends with the page of its job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
from starlette.responses import RedirectResponse
from starlette.routing import Route

from pipeline.errors import PipelineError
from toolbox.console.access import form_of
from toolbox.console.rendering import (
    Problem,
    html,
    pages,
    path_text,
    render,
    sent_event,
    streamed,
)
from toolbox.console.replays.became import BecomingLooks
from toolbox.console.replays.data import planned, planned_again, read_replays
from toolbox.console.replays.one import read_replay
from toolbox.console.replays.running import run_plan
from toolbox.console.scene import in_thread, scene_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from toolbox.console.replays.one import ReplayPage
    from toolbox.console.replays.running import ConsoleReplays
    from toolbox.console.scene import ConsoleScene
    from toolbox.replaying.plan import ReplayPlan

_LOOK_SECONDS, _SLOWER, _MOST_PAUSE = 1.0, 1.5, 10.0
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
    if not page.is_running:
        page = replace(page, became=await in_thread(BecomingLooks(scene, page.job).look))
    return render(request, "replays/replay.html", page)


async def progress(request: Request) -> Response:
    """Stream how far a replay is, until it ends."""
    await _read(request)  # of one that is not there, there is no stream
    return streamed(request, _progress(request))


async def _progress(request: Request) -> AsyncIterator[str]:
    """Tell how far it is each second and, after its end, what became of what was sent.

    At the job's end, and when all is settled, the page is asked for anew: it is another one then.
    """
    scene, looks, ran = scene_of(request), None, False
    pause, settling = _LOOK_SECONDS, replays_of(request).settling_looks
    for _ in range(_MOST_LOOKS):
        ended = given_up = False
        try:
            page = await _read(request)
            if not page.is_running:
                looks = looks or BecomingLooks(scene, page.job)
                page = replace(page, became=await in_thread(looks.look))
                settling -= 1
                ended, given_up = ran or page.became.is_settled, settling <= 0
                pause = min(pause * _SLOWER, _MOST_PAUSE)
            ran = page.is_running
            text = html(request, "replays/progress.html", page)
        except PipelineError as error:
            text = html(request, "templates/told.html", Problem(error.lines))
        yield sent_event("progress", text)
        if ended:
            yield sent_event("ended", "")
        if ended or given_up:
            break
        await anyio.sleep(pause)
    yield sent_event("closed", "")


async def _read(request: Request) -> ReplayPage:
    scene: ConsoleScene = request.app.state.scene
    job_id = request.path_params["job"]
    here = replays_of(request).of(job_id)
    return await in_thread(lambda: read_replay(scene, job_id, here))


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
