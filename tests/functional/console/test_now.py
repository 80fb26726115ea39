"""The first page, and the stream that keeps it true."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
from starlette.requests import Request

from tests.support.console import AT, StillWatcher, calm, entered, made_scene
from toolbox.console.now.data import SharedLook
from toolbox.console.now.handler import stream
from toolbox.watching.status import ConsumerState, FeedState, QueueState, SourceState, WatchError

if TYPE_CHECKING:
    import pytest

    from toolbox.watching.status import Status

HOSTILE = '<script>alert(1)</script>"\u202e'
BUSY = calm(
    sources=(SourceState("github", {"Received": 12.0, "Delivered": 11.0}, AT),),
    consumers=(ConsumerState("fan-out", 3.0), ConsumerState("archiver", None)),
    tickets=QueueState("tickets", 2, 0, None),
    queues=(QueueState("github", 1_200, 3, 40.0), QueueState("zoom", 0, 0, None)),
    feeds=(FeedState("pulled", "logs", 30.0, AT, HOSTILE),),
)


def test_the_picture_and_the_tables_have_the_figures() -> None:
    client = entered(made_scene(status=BUSY))
    text = client.get("/now").text
    for told in (
        "12.0 a min",
        "3.0 s behind",
        "1203 waiting",
        "2 tickets wait",
        "bad-box",
        "Received: 12,",
    ):
        assert told in text, told
    assert ">zoom<" not in text
    assert "<script>alert" not in text
    assert "\u202e" not in text
    twin = client.get("/now.json").json()
    assert twin["sources"]["github"]["received_per_minute"] == 12.0
    assert 'sse-connect="/now/stream"' in text


def test_several_pages_share_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 2.5, 2.5])
    monkeypatch.setattr("toolbox.console.now.data.time.monotonic", lambda: next(clock))
    watcher = StillWatcher(BUSY)
    look = SharedLook(made_scene(watcher=watcher))
    first = look.page()
    watcher.status = calm()
    assert look.page() is first
    assert look.page().status == calm()


class Changing(StillWatcher):
    """Sees one status after the other, or an error."""

    def __init__(self, *seen: Status | WatchError) -> None:
        super().__init__(BUSY)
        self.seen = iter(seen)

    def look(self, now: float, minutes: int) -> Status:
        found = next(self.seen)
        if isinstance(found, WatchError):
            raise found
        return found


def streamed(*seen: Status | WatchError) -> list[str]:
    """What is sent for each."""
    client = entered(made_scene(watcher=Changing(*seen)))
    client.app.state.look.every = 0.0  # type: ignore[attr-defined]
    scope = {"type": "http", "app": client.app, "path": "/now/stream", "headers": [],
             "method": "GET", "query_string": b"", "server": ("127.0.0.1", 1)}  # fmt: skip

    async def read() -> list[str]:
        answer = await stream(Request(scope))
        parts = answer.body_iterator  # type: ignore[attr-defined]
        found = [await anext(parts, "it ended") for _ in seen]
        await parts.aclose()
        return found

    return anyio.run(read)


def test_the_stream_sends_what_changed() -> None:
    first, same, changed = streamed(
        BUSY, BUSY, replace(BUSY, tickets=QueueState("tickets", 7, 0, None))
    )
    assert first.startswith("event: now\ndata: ")
    assert first.endswith("\n\n")
    assert all(line.startswith(("data: ", "event: ")) for line in first.splitlines() if line)
    assert same == ": the same\n\n"
    assert "7 tickets wait" in changed


def test_the_stream_says_when_nobody_answers_and_goes_on() -> None:
    there, gone, again = streamed(BUSY, WatchError("nothing runs: <gone>\nstart it"), BUSY)
    assert "nothing runs: &lt;gone&gt;" in gone
    assert gone.startswith("event: now\ndata: ")
    assert again == there


def test_who_asks_for_the_headers_of_the_stream_gets_them_and_an_end() -> None:
    answer = entered(made_scene(status=BUSY)).head("/now/stream")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
