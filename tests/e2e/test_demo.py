"""What a user starts first: the demo."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]

from tests.e2e.conftest import ROOT, alive

if TYPE_CHECKING:
    from pathlib import Path


def test_the_demo_accounts_for_everything_and_shows_it_until_ctrl_c(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with (
        errors.open("w") as told,
        subprocess.Popen(
            [sys.executable, "-u", "-m", "toolbox.demo", "--console"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
        ) as demo,
    ):
        assert demo.stdout is not None
        # The last thing that it says, unless it ends without.
        address = next((line.strip() for line in demo.stdout if "/enter?token=" in line), "")
        assert address, errors.read_text()
        try:
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with browser.open(address, timeout=600) as page:
                assert "the local pipeline in " in page.read().decode()
        finally:
            pids = [child.pid for child in psutil.Process(demo.pid).children(recursive=True)]
            demo.send_signal(signal.SIGINT)
            rest = demo.stdout.read()
    assert demo.returncode == 0, rest + errors.read_text()
    assert "Every event is accounted for." in rest
    assert len(pids) >= 3
    assert not alive(pids)
