"""Two loads on one machine: the senders of each stay with the run that started them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from textwrap import dedent
from typing import TYPE_CHECKING

from loadtests.load import sending

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LIMIT_SECONDS = 600
LOCUSTFILE = """
    import os
    import locust

    class Sender(locust.User):
        @locust.task
        def send(self):
            open(f"{os.environ['FOLDER']}/{os.getppid()}", "a").close()
            self._sleep(600)
"""


def test_two_runs_at_once_have_senders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locust's own port is one for a machine: the second run would wait for senders for ever."""
    file = tmp_path / "senders.py"
    file.write_text(dedent(LOCUSTFILE))
    monkeypatch.setattr(sending, "LOCUSTFILE", file)
    monkeypatch.setenv("FOLDER", str(tmp_path))
    words = ["--users", "2", "--spawn-rate", "2", "--run-time", "600", "--processes", "2"]
    with ExitStack() as stack:
        runs = [
            stack.enter_context(sending._locust(words, tmp_path / f"{number}.txt"))
            for number in range(2)
        ]
        sent = [tmp_path / str(run.pid) for run in runs]
        deadline = time.monotonic() + LIMIT_SECONDS
        while not all(each.exists() for each in sent):
            logs = "".join(log.read_text() for log in tmp_path.glob("*.txt"))
            assert time.monotonic() < deadline, logs
            assert [run.poll() for run in runs] == [None, None], logs
            time.sleep(0.02)
        for run in runs:
            run.kill()
