"""What nobody foresaw in the console is a page with an id, and the log has the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.console import StillWatcher, calm, entered, made_scene

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from toolbox.watching.status import Status

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"


class BrokenWatcher(StillWatcher):
    """Ends as nobody thought of."""

    def look(self, now: float, minutes: int) -> Status:
        raise ZeroDivisionError(HOSTILE + "x" * 20_000)


@pytest.fixture(scope="module")
def broken() -> TestClient:
    return entered(made_scene(watcher=BrokenWatcher(calm())))


def test_it_is_a_page_with_an_id_that_the_log_has(
    broken: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = broken.get("/now")
    assert answer.status_code == 500
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    told = re.search(
        r"something in the console broke \(ZeroDivisionError\);.* as fault (\w{8})<", answer.text
    )
    assert told
    assert "alert(1)" not in answer.text
    (kept,) = caplog.messages
    assert f"fault {told[1]}: " in kept
    assert len(kept) < 10_000
    assert "\x1b" not in kept


def test_its_twin_says_the_same(broken: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    answer = broken.get("/now.json")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert f"as fault {found['fault']}" in found["problem"][0]
    assert f"fault {found['fault']}: " in caplog.messages[0]
    assert "ZeroDivisionError" in caplog.messages[0]
    assert "in look" in caplog.messages[0]


def test_what_is_known_has_no_id(broken: TestClient) -> None:
    assert broken.get("/sources/nobody.json").json().keys() == {"problem"}
