"""What a user starts first: the demo, and the pipeline of a stage that is yet to be synthesized."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.e2e.conftest import ROOT, Running, alive

if TYPE_CHECKING:
    from pathlib import Path


def test_the_demo_accounts_for_everything() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "toolbox.demo"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    output = done.stdout
    assert "Every event is accounted for." in output


def test_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    runtime = Running(tmp_path / "state")
    try:
        runtime.wait()
        pids = runtime.descendants()
        assert len(pids) >= 3
    finally:
        status = runtime.stop()
    assert status == 0, runtime.output.read_text()
    assert not alive(pids)
    assert not (runtime.state / "endpoints.json").exists()
