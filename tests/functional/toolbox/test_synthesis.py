"""Who writes a cloud assembly has it alone: two runs of one stage may start at once."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from toolbox import synthesis


def is_held(assembly: Path) -> bool:
    with (assembly / "synthesis.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.parametrize("status", [0, 1])
def test_an_assembly_is_written_by_one_at_a_time(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assembly, held = tmp_path / "build" / "cdk.out", list[bool]()

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        held.append(is_held(assembly))
        return subprocess.CompletedProcess(command, status, "", "wrong\n")

    monkeypatch.setattr(subprocess, "run", run)
    if status:
        with pytest.raises(synthesis.AssemblyError, match="wrong"):
            synthesis.synthesize("dev", assembly)
    else:
        synthesis.synthesize("dev", assembly)
    assert held == [True]
    assert not is_held(assembly)


def test_who_types_ctrl_c_sees_no_stack_trace(tmp_path: Path) -> None:
    (tmp_path / "dev.yaml").write_text("service: ingest\nsources: [generic]\n")
    words = synthesis._command("dev", tmp_path, "--output", str(tmp_path / "cdk.out"))
    process = subprocess.Popen(
        words, cwd=synthesis.REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    # It has loaded its own code, and waits for the CDK's.
    while process.poll() is None and not psutil.Process(process.pid).children():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate()
    assert ("Traceback" in said, process.returncode) in {(False, 130), (False, -2)}, said
