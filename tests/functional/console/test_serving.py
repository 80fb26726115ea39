"""The console is served, and stopped while a page is open."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from http.client import HTTPConnection
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from local.credentials import RunCredentials
from local.endpoints import Endpoints
from local.state import StateDirectory
from tests.support.console import entered, made_scene
from toolbox.console import serving
from toolbox.console.access import ConsoleAccess

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from starlette.testclient import TestClient


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
            entry = begun.get(timeout=600).entry.removeprefix("http://")
            host, _, path = entry.partition("/")
            browser = HTTPConnection(host, timeout=600)
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
    assert seen.get(timeout=600) == b"event: now\n"
    assert [one.getMessage() for one in caplog.records if one.name == "uvicorn.error"] == []


def _where(number: int) -> Endpoints:
    return Endpoints(
        "http://api", f"http://127.0.0.1:{number}", "us-west-2", "s", {"github": "http://queue"},
        "http://tickets", "archive", "dedupe", {}, RunCredentials.make(),
    )  # fmt: skip


def test_the_console_goes_on_with_a_pipeline_that_started_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    browser: TestClient | None = None
    for number in (1, 2):
        with StateDirectory(state):
            _where(number).write(state)
            if browser is None:
                scene = serving.open_scene(state, None, writable=True, private=tmp_path)
                browser = entered(replace(scene, folders=dict))
            app: Any = browser.app
            for _ in range(2):
                assert browser.get("/tickets/x/schema").status_code == 404  # any page
                url = app.state.scene.where.client("sqs").meta.endpoint_url
                assert url == f"http://127.0.0.1:{number}"
                assert app.state.scene.archive is not None
        before = app.state.scene
        assert browser.get("/tickets/x/schema").status_code == 404  # nothing runs, and it waits
        assert app.state.scene is before
    told = f"the local pipeline in {state} started again; the console goes on with it.\n"
    assert "".join(capsys.readouterr().out.split()) == "".join(told.split())


def test_settings_that_were_taken_over_count_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    with StateDirectory(state):
        where = _where(1)
        where.write(state)
        scene = serving.open_scene(state, None, writable=True, private=tmp_path)
        assert scene.renewed() is None
        replace(where, dedupe_table="another").write(state)
        found = scene.renewed()
        assert found is not None
        assert found.where.dedupe_table == "another"
        assert found.renewed() is None
    assert capsys.readouterr().out == ""
