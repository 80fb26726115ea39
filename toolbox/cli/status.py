"""`mozdef-ef status`: one screen that says how a deployment is."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from settings.deployment_alarms import AlarmSettings
from toolbox.cli.status_screen import screen
from toolbox.deployments import DEFAULT_STATE, Stack, State, find_deployment
from toolbox.terminal.output import (
    DOES_NOT_HOLD,
    console,
    live_screen,
    print_json,
    print_screen,
)
from toolbox.terminal.pages import page_of
from toolbox.terminal.stopping import stopping
from toolbox.watching.document import status_document
from toolbox.watching.local_watcher import LocalWatcher
from toolbox.watching.stack import StackWatcher

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from toolbox.terminal.stopping import StopRequest
    from toolbox.watching.status import Status

EVERY_SECONDS = 2.0
_STEP_SECONDS = 0.1


class Watcher(Protocol):
    """What can be looked at again and again."""

    def look(self, now: float, minutes: int) -> Status:
        """Say how it is."""


def status(
    *,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every two seconds until Ctrl-C.")
    ] = False,
    minutes: Annotated[
        int, typer.Option(min=1, max=60, help="Over how many minutes rates are averages.")
    ] = 5,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; with --watch, a line for each look.")
    ] = False,
) -> None:
    """Show what is at risk, why and what to type next; then rates, queues and feeds.

    On a terminal, what does not fit is shown page by page; --watch turns the pages by itself.

    Exit status: 0 nothing is at risk, 1 something is: a shard is held up, a secret is missing, a
    feed stands still, messages were given up, quarantine grows, an alarm of the stack is on or,
    where no alarm watches, the default threshold of one is reached. --watch ends with 0.
    """
    watcher = _watcher(state, stack)
    if watch:
        with stopping() as stop:
            _watch(watcher, minutes, stop, as_json=as_json)
        return
    found = watcher.look(time.time(), minutes)
    risks = found.risks(AlarmSettings())
    if as_json:
        print_json(status_document(found, risks))
    else:
        _print(screen(found, risks))
    if risks:
        raise typer.Exit(DOES_NOT_HOLD)


def _watcher(state: Path, stack: str | None) -> Watcher:
    return (
        StackWatcher(find_deployment(state, stack).client, stack) if stack else LocalWatcher(state)
    )


def _watch(watcher: Watcher, minutes: int, stop: StopRequest, *, as_json: bool) -> None:
    live, looks = None, 0
    if console.is_terminal and not as_json:
        live = live_screen()
    with live or nullcontext():
        while not stop():
            found = watcher.look(time.time(), minutes)
            risks = found.risks(AlarmSettings())
            if as_json:
                print_json(status_document(found, risks), indent=False)
            elif live:
                live.update(page_of(console, screen(found, risks), looks), refresh=True)
            else:
                _print(screen(found, risks))
            looks += 1
            _wait(stop)


def _print(parts: list[RenderableType]) -> None:
    print_screen(parts, paged=True)


def _wait(stop: StopRequest) -> None:
    end = time.monotonic() + EVERY_SECONDS
    while not stop() and time.monotonic() < end:
        time.sleep(_STEP_SECONDS)
