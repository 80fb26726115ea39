"""What the runtime refuses, and what ends it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from local.data_changes import DataWouldBeLostError
from local.processes import PortInUseError
from local.state import StateInUseError
from local.supervisor import LocalRuntime
from local.template import TemplateError
from tests.functional.local.small_stack import SCRIPT, messages, post, write_assembly
from tests.functional.local.support import runs, wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_another_stream_is_refused_before_anything_is_lost_and_made_where_that_is_wished(
    assembly: Path, state: Path
) -> None:
    with LocalRuntime(assembly, state=state, port=None) as runtime:
        assert post(runtime.endpoints, "event") == 200
        assert runtime.wait_until_idle(60)
    other = {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 2}}
    before = write_assembly(assembly.with_name("before"))
    write_assembly(assembly, Stream=other)

    with pytest.raises(DataWouldBeLostError, match="ShardCount is 1, and would be 2"):
        LocalRuntime(assembly, state=state, port=None).start()
    with LocalRuntime(before, state=state, port=None) as runtime:
        assert runtime.resumed
        assert messages(runtime.endpoints, delete=False) == ["event"]

    asked: list[DataWouldBeLostError] = []

    def agree(error: DataWouldBeLostError) -> bool:
        asked.append(error)
        return True

    with LocalRuntime(assembly, state=state, port=None, may_discard=agree) as runtime:
        assert [error.changes for error in asked] == [
            ("Stream (AWS::Kinesis::Stream): ShardCount is 1, and would be 2",)
        ]
        assert not runtime.resumed
        assert messages(runtime.endpoints) == []
        assert post(runtime.endpoints, "another") == 200
        assert runtime.wait_until_idle(60)
        assert messages(runtime.endpoints) == ["another"]


def test_a_part_that_ends_by_itself_ends_the_runtime(assembly: Path, state: Path) -> None:
    script = dedent(SCRIPT).format(assembly=str(assembly), state=str(state))
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        os.kill(pids[0], signal.SIGKILL)
        _, errors = process.communicate(timeout=600)
    assert "ProcessFailedError: the emulator (ministack) ended with status -9; see " in errors
    wait_until_gone(pids, 0)


def test_one_state_directory_is_for_one_runtime(assembly: Path, state: Path) -> None:
    with (
        LocalRuntime(assembly, state=state, port=None),
        pytest.raises(StateInUseError, match=f"process {os.getpid()}.*--state"),
    ):
        LocalRuntime(assembly, state=state, port=None).start()


def test_a_port_in_use_is_one_clear_line(assembly: Path, state: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"^port {port} cannot be used.*--port$"):
            LocalRuntime(assembly, state=state, port=port).start()


@pytest.fixture
def quiet(assembly: Path) -> Iterator[Path]:
    """An assembly that is going to be broken; nothing may be left running."""
    before = _own_children()
    yield assembly
    assert _own_children() <= before


def _own_children() -> set[int]:
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = {int(pid) for each in children for pid in each.read_text().split()}
    return {pid for pid in pids if runs(pid)}


def test_no_assembly_says_what_to_do(tmp_path: Path, state: Path) -> None:
    with pytest.raises(TemplateError, match="no cloud assembly; run 'mozdef-ef synth'"):
        LocalRuntime(tmp_path, state=state, port=None).start()


def test_a_template_that_cannot_run_here_leaves_nothing_running(quiet: Path, state: Path) -> None:
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "EventSourceArn": "arn:aws:sqs:us-west-2:0:queue",
            "FunctionName": {"Ref": "Deliver"},
        },
    }
    write_assembly(quiet, Mapping=mapping)

    with pytest.raises(TemplateError, match="Mapping: only Kinesis streams are read locally"):
        LocalRuntime(quiet, state=state, port=None).start()


def test_a_missing_output_is_named(quiet: Path, state: Path) -> None:
    path = quiet / "small.template.json"
    document = json.loads(path.read_text())
    del document["Outputs"]["DedupeTableName"]
    path.write_text(json.dumps(document))

    with pytest.raises(TemplateError, match="small: the stack has no output DedupeTableName"):
        LocalRuntime(quiet, state=state, port=None).start()
