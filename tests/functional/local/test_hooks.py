"""What a fault test puts between the parts of a running pipeline."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtests.soak.faults import FaultControl
from loadtests.soak.proxy import ADDRESS, proxied
from local.hooks import Hooks
from local.supervisor import LocalRuntime
from tests.functional.local.small_stack import messages, post
from tests.functional.local.support import runs, wait_for

if TYPE_CHECKING:
    from local.invocation import Invocation


@dataclass
class Watcher:
    """Kills the process of the first call."""

    pids: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    errors: list[str | None] = field(default_factory=list)

    def before(self, function: str, event: Any, pid: int) -> None:
        assert function == "handlers.deliver"
        assert runs(pid)
        self.pids.append(pid)
        self.sizes.append(len(event["Records"]))
        if len(self.pids) == 1:
            os.kill(pid, signal.SIGKILL)

    def after(self, function: str, event: Any, outcome: Invocation) -> None:
        self.errors.append(outcome.function_error)


def test_the_watcher_sees_each_call_and_its_end(assembly: Path, state: Path) -> None:
    watcher = Watcher()
    with LocalRuntime(assembly, state=state, port=None, hooks=Hooks(watch=watcher)) as runtime:
        for text in ("killed", "event"):
            assert post(runtime.endpoints, text) == 200
            assert runtime.wait_until_idle(60)
        assert messages(runtime.endpoints) == ["event"]
    assert watcher.errors == ["Unhandled", None]
    assert watcher.sizes == [1, 1]
    assert len(set(watcher.pids)) == 2


def test_every_part_goes_through_what_stands_between(assembly: Path, state: Path) -> None:
    hooks = Hooks(between=partial(proxied, state=state, seed=1))
    with LocalRuntime(assembly, state=state, port=None, hooks=hooks) as runtime:
        where = runtime.endpoints
        proxy = (state / ADDRESS).read_text()
        assert proxy != where.aws_endpoint_url
        assert post(where, "event") == 200
        assert runtime.wait_until_idle(60)
        assert messages(where) == ["event"]
        with urllib.request.urlopen(f"{proxy}/_microburst/stats", timeout=600) as answer:
            found = {each["service"] for each in json.load(answer)["by_service"]}
        assert found >= {"kinesis", "sqs"}

        control = FaultControl()
        control.use(proxy)
        control.add(["sqs_out"], lasts=60.0)
        assert post(where, "never") == 200
        assert runtime.wait_until_idle(60)
        control.collect()
        assert control.counts["sqs_out"] > 0
        control.clear()
        assert post(where, "later") == 200
        assert runtime.wait_until_idle(60)
        assert messages(where) == ["later"]


def test_the_proxy_leaves_with_a_killed_parent(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from loadtests.soak.proxy import proxied\n"
        f"with proxied('http://127.0.0.1:9', state=Path({str(tmp_path)!r}), seed=1) as url:\n"
        "    print(url, flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, process.stdout as output:
        url = output.readline().strip()
        assert _answers(url)
        process.kill()
    wait_for(lambda: not _answers(url), "the proxy still answers")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_microburst/health", timeout=600) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
