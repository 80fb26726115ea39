"""A console on a hand-made scene, and a client that has entered it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.testclient import TestClient

from settings.source.loader import available_sources
from toolbox.console.access import ConsoleAccess
from toolbox.console.app import build_app
from toolbox.console.scene import ConsoleScene
from toolbox.deployments import RunningDeployment
from toolbox.watching.status import QueueState, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT = 8899
ORIGIN = f"http://127.0.0.1:{PORT}"
AT = 1_795_464_600.0


class StillWatcher:
    """Always sees the same."""

    def __init__(self, status: Status) -> None:
        self.status = status

    def look(self, now: float, minutes: int) -> Status:
        return self.status

    def history(self, now: float, minutes: int) -> dict[str, list[float]]:
        return {"Received": [0.0] * (minutes - 1) + [12.0]}


def calm(**changes: Any) -> Status:
    fields: dict[str, Any] = {
        "deployment": "a deployment",
        "as_of": AT,
        "minutes": 5,
        "sources": (),
        "consumers": (),
        "tickets": QueueState("tickets", 0, 0, None),
        "queues": (),
        "feeds": (),
    }
    return Status(**{**fields, **changes})


def made_scene(
    clients: Mapping[str, Any] | None = None,
    status: Status | None = None,
    *,
    local: bool = True,
    parameters: Mapping[str, str] | None = None,
    **changes: Any,
) -> ConsoleScene:
    """A scene whose clients are these stand-ins."""
    found = clients or {}
    where = RunningDeployment(
        name="a deployment",
        local=local,
        parameters=parameters or {},
        stream="stream",
        archive_bucket="archive",
        dedupe_table="dedupe",
        dead_letter_queue="http://queues/dead-letters",
        replay_state_machine="",
        client=lambda service: found[service],
    )
    fields: dict[str, Any] = {
        "where": where,
        "stack": "",
        "state": Path("nowhere"),
        "writable": True,
        "watcher": StillWatcher(status or calm()),
        "folders": available_sources,
        "private": Path("nowhere"),
    }
    return ConsoleScene(**{**fields, **changes})


def outside(scene: ConsoleScene, access: ConsoleAccess) -> TestClient:
    """A client that has not entered."""
    return TestClient(
        build_app(scene, access),
        base_url=ORIGIN,
        follow_redirects=False,
        raise_server_exceptions=False,
    )


def entered(scene: ConsoleScene, access: ConsoleAccess | None = None) -> TestClient:
    """A client that came by the printed address; it posts as a form of the console does."""
    access = access or ConsoleAccess(PORT)
    client = outside(scene, access)
    # What a fake stream takes gets no outcome: nobody waits for it.
    client.app.state.replays.settling_looks = 1  # type: ignore[attr-defined]
    assert client.get(access.entry).status_code == 303
    client.headers.update({"origin": ORIGIN, "x-csrf-token": access.csrf})
    return client
