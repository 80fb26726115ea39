"""The whole runtime: started, used, interrupted, killed, and gone on with."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from local import endpoints
from local.emulator import client
from local.endpoints import Endpoints, NotRunningError
from local.supervisor import LocalRuntime
from tests.functional.local.small_stack import SCRIPT, messages, post, write_assembly
from tests.functional.local.support import wait_for, wait_for_status, wait_until_gone


class Running:
    """A runtime in a process of its own, as the command line has it."""

    def __init__(self, assembly: Path, state: Path) -> None:
        self.state = state
        script = dedent(SCRIPT).format(assembly=str(assembly), state=str(state))
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.output = self.process.stdout
        self.pids = [int(pid) for pid in self.output.readline().split()]
        self.where = endpoints.read(state)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.output.close()

    def children(self) -> list[int]:
        """Also the processes of the processes: the authorizer's."""
        found = list(self.pids)
        for pid in found:
            tasks = Path(f"/proc/{pid}/task").glob("*/children")
            found += [int(child) for task in tasks for child in task.read_text().split()]
        return sorted(set(found))


def test_an_event_goes_all_the_way(assembly: Path, state: Path) -> None:
    with LocalRuntime(assembly, state=state, port=None) as runtime:
        where = runtime.endpoints
        assert endpoints.read(state) == where
        assert (state / "endpoints.json").stat().st_mode & 0o777 == 0o600
        assert len(where.parameters["hook"]["auth_token"]) >= 32
        assert [post(where, f"event {number}") for number in range(5)] == [200] * 5
        assert post(where, "x", token="no") == 403
        assert runtime.wait_until_idle(60)
        assert messages(where) == [f"event {number}" for number in range(5)]
        wait_for_status(state, lambda status: _of_mapping(status, "records_settled") == 5)
        pids = runtime.pids()

    wait_until_gone(pids, 0)
    assert not (state / "endpoints.json").exists()
    assert not (state / "status.json").exists()
    with pytest.raises(NotRunningError, match="nothing runs; run 'mozdef-ef local up'"):
        endpoints.read(state)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_running(
    assembly: Path, state: Path, number: signal.Signals
) -> None:
    with Running(assembly, state) as running:
        assert post(running.where, "event") == 200
        children = running.children()
        assert len(children) >= 4
        running.process.send_signal(number)
        assert running.process.wait(60) == 0
        assert running.output.read() == "stopped\n"
    wait_until_gone(children, 0)
    assert not (state / "endpoints.json").exists()


def test_a_killed_runtime_takes_its_processes_along_and_the_next_goes_on(
    assembly: Path, state: Path
) -> None:
    """Also with a handler in the middle of a batch; what it had not settled comes again."""
    with Running(assembly, state) as running:
        assert post(running.where, "before") == 200
        _wait_for_message(running.where, "before")
        assert post(running.where, "slow") == 200
        assert post(running.where, "after") == 200
        wait_for_status(state, lambda status: _of_mapping(status, "in_flight") == 2)
        children = running.children()
        secret = running.where.parameters
        running.process.kill()
        wait_until_gone(children)

    with pytest.raises(NotRunningError, match="left over, nothing runs any more"):
        endpoints.read(state)
    code = assembly / "asset.code" / "handlers.py"
    code.write_text(code.read_text().replace("time.sleep(30)", "pass"))
    with LocalRuntime(assembly, state=state, port=None) as runtime:
        assert runtime.resumed
        assert runtime.endpoints.parameters == secret
        assert runtime.wait_until_idle(60)
        assert messages(runtime.endpoints) == ["after", "slow"]


def _of_mapping(status: dict[str, Any], counter: str) -> int:
    return int(status["mappings"]["Mapping"][counter])


def _wait_for_message(where: Endpoints, text: str) -> None:
    wait_for(lambda: text in messages(where), f"{text} never came")


def test_a_record_that_kills_its_handler_ends_in_the_archive(assembly: Path, state: Path) -> None:
    with LocalRuntime(assembly, state=state, port=None) as runtime:
        where = runtime.endpoints
        for text in ("one", "poison", "two"):
            assert post(where, text) == 200
        assert runtime.wait_until_idle(60)
        assert set(messages(where)) == {"one", "two"}
        s3 = client(
            "s3",
            endpoint_url=where.aws_endpoint_url,
            region=where.region,
            credentials=where.credentials,
        )
        (kept,) = s3.list_objects_v2(Bucket=where.archive_bucket)["Contents"]
        assert kept["Key"].startswith("aws/lambda/")


def test_a_restart_with_another_queue_goes_on_where_it_was(assembly: Path, state: Path) -> None:
    with LocalRuntime(assembly, state=state, port=None) as runtime:
        assert post(runtime.endpoints, "before") == 200
        assert runtime.wait_until_idle(60)
        secret = runtime.endpoints.parameters
    write_assembly(assembly, More={"Type": "AWS::SQS::Queue"})

    with LocalRuntime(assembly, state=state, port=None) as runtime:
        assert runtime.resumed
        assert runtime.endpoints.parameters == secret
        assert post(runtime.endpoints, "after") == 200
        assert runtime.wait_until_idle(60)
        # One of each: the stream's position was kept, and nothing was read again.
        assert messages(runtime.endpoints) == ["after", "before"]
