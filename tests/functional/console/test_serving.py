"""The console is served, and stopped while a page is open."""

from __future__ import annotations

import os
import signal
from http.client import HTTPConnection
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from tests.support.console import made_scene
from toolbox.console import serving
from toolbox.console.access import ConsoleAccess

if TYPE_CHECKING:
    import pytest


def test_ctrl_c_ends_an_open_page_without_a_stack(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun, seen = SimpleQueue[ConsoleAccess](), SimpleQueue[bytes]()

    def access(port: int) -> ConsoleAccess:
        made = ConsoleAccess(port)
        begun.put(made)
        return made

    def open_page() -> None:
        try:
            entry = begun.get(timeout=60).entry.removeprefix("http://")
            host, _, path = entry.partition("/")
            browser = HTTPConnection(host, timeout=60)
            browser.request("GET", f"/{path}")
            entered = browser.getresponse()
            entered.read()
            cookie = str(entered.headers["set-cookie"]).partition(";")[0]
            browser.request("GET", "/now/stream", headers={"Cookie": cookie})
            seen.put(browser.getresponse().readline())
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(serving, "ConsoleAccess", access)
    monkeypatch.setattr(serving, "_GRACE_SECONDS", 0)
    page = Thread(target=open_page)
    page.start()
    serving.serve(made_scene(), 0, browser=False)
    page.join(60)
    assert seen.get(timeout=60) == b"event: now\n"
    assert [one.getMessage() for one in caplog.records if one.name == "uvicorn.error"] == []
