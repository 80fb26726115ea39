"""Another assembly is taken over while events flow: none is lost, and none comes twice."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from itertools import count
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from local.data_changes import DataWouldBeLostError
from local.function_host import FunctionUnavailableError
from local.supervisor import LocalRuntime
from local.template import TemplateError
from tests.functional.local.small_stack import (
    HANDLERS,
    api_resources,
    function,
    messages,
    post,
    write_assembly,
)
from tests.functional.local.support import wait_for, wait_until_gone

if TYPE_CHECKING:
    from pathlib import Path

    from local.endpoints import Endpoints

KILLED = """
    import os, signal
    from pathlib import Path
    from local.functions import Functions
    from local.supervisor import LocalRuntime
    from tests.functional.local.small_stack import post, write_assembly
    from tests.functional.local.test_reload import second
    with LocalRuntime(Path({assembly!r}), state=Path({state!r}), port=None) as runtime:
        assert post(runtime.endpoints, "before") == 200
        assert runtime.wait_until_idle(60)
        assert post(runtime.endpoints, "meanwhile") == 200
        second(Path({assembly!r}))
        print(*runtime.pids(), flush=True)
        # The queue is made by then, the mapping has been left, and nothing else has begun.
        Functions.take = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        runtime.reload()
"""


def second(assembly: Path) -> None:
    """Write an assembly with other code, another batch size, a queue and a route more."""
    code = assembly / "asset.second"
    code.mkdir()
    changed = dedent(HANDLERS).replace("MessageBody=text", 'MessageBody=text + ", second"')
    (code / "handlers.py").write_text(changed)
    deliver = function("handlers.deliver", code="second", QUEUE_URL={"Ref": "Queue"})
    mapping = json.loads((assembly / "small.template.json").read_text())["Resources"]["Mapping"]
    mapping["Properties"]["BatchSize"] = 7
    resources = api_resources()
    other = {"Route": {"Ref": "OtherRoute"}}
    route, method = (json.loads(json.dumps(resources[name])) for name in ("Route", "Post"))
    route["Properties"]["PathPart"] = "other"
    method["Properties"]["ResourceId"] = other["Route"]
    write_assembly(
        assembly,
        Deliver=deliver,
        Mapping=mapping,
        More={"Type": "AWS::SQS::Queue"},
        OtherRoute=route,
        OtherPost=method,
    )


class Sender:
    """Sends one event after the other, over one connection, in a thread."""

    def __init__(self, where: Endpoints) -> None:
        self._where = where
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent: list[str] = []
        self.errors: list[object] = []

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(
            self._where.api.removeprefix("http://"), timeout=600
        )
        headers = {"Authorization": "yes", "Content-Type": "application/json"}
        connection.connect()
        connection.auto_open = 0  # a connection that ends is an error
        for number in count():
            if self._stop.wait(0.002):
                connection.close()
                return
            try:
                connection.request("POST", "/hook", f"event {number}", headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(error)
                return
            if answer.status != 200:
                self.errors.append(answer.status)
            self.sent.append(f"event {number}")


def test_events_flow_across_a_reload(assembly: Path, state: Path) -> None:
    with LocalRuntime(assembly, state=state, port=None) as runtime:
        before = runtime.endpoints
        assert post(before, "x", path="/other") == 403  # no such route
        with Sender(before) as sender:
            wait_for(lambda: len(sender.sent) > 20, "nothing was sent")
            second(assembly)
            assert runtime.reload() == before  # the same addresses, queues and secrets
            after = len(sender.sent)
            wait_for(lambda: len(sender.sent) > after + 20, "nothing was sent any more")
        assert sender.errors == []
        assert post(before, "by another way", path="/other") == 200
        assert runtime.wait_until_idle(60)
        found = messages(before)
        first = [text.removesuffix(", second") for text in found]
        assert sorted(first) == sorted([*sender.sent, "by another way"])
        # Each call goes to the new code from then on, the first ones went to the old.
        late = {f"{text}, second" for text in [*sender.sent[after:], "by another way"]}
        assert late <= set(found)
        assert sender.sent[0] in found
        _refuses_what_cannot_run(runtime, assembly)


def _refuses_what_cannot_run(runtime: LocalRuntime, assembly: Path) -> None:
    """All goes on as it was, whichever part it is that cannot run."""
    original = (assembly / "small.template.json").read_text()
    (assembly / "asset.broken").mkdir()
    (assembly / "asset.broken" / "handlers.py").write_text("import no_such_module")
    faults: list[tuple[dict[str, Any], type[Exception], str]] = [
        (
            {"Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 3}}},
            DataWouldBeLostError,
            "ShardCount is 1, and would be 3",
        ),
        (
            {"Deliver": function("handlers.deliver", code="broken")},
            FunctionUnavailableError,
            "no_such_module",
        ),
        (
            {"Deliver": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "nodejs"}}},
            TemplateError,
            "only Python functions run locally",
        ),
        (
            # What the front door alone finds, in its own process.
            {"Authorizer": {"Type": "AWS::ApiGateway::Authorizer", "Properties": {}}},
            TemplateError,
            "Authorizer",
        ),
    ]
    for changed, kind, said in faults:
        document = json.loads(original)
        document["Resources"] |= changed
        (assembly / "small.template.json").write_text(json.dumps(document))
        with pytest.raises(kind, match=re.escape(said)):
            runtime.reload()
        assert post(runtime.endpoints, said) == 200
    assert runtime.wait_until_idle(60)
    assert messages(runtime.endpoints) == sorted(f"{said}, second" for _, _, said in faults)


def test_a_runtime_that_is_killed_in_the_midst_of_a_reload_starts_again(
    assembly: Path, state: Path
) -> None:
    script = dedent(KILLED).format(assembly=str(assembly), state=str(state))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
    assert process.returncode == -signal.SIGKILL
    wait_until_gone(pids)

    with LocalRuntime(assembly, state=state, port=None) as runtime:
        assert runtime.resumed
        assert post(runtime.endpoints, "after", path="/other") == 200
        assert runtime.wait_until_idle(60)
        found = messages(runtime.endpoints)
        assert [text.removesuffix(", second") for text in found] == ["after", "before", "meanwhile"]
        assert "after, second" in found


def test_what_does_not_run_is_not_reloaded(assembly: Path, state: Path) -> None:
    with pytest.raises(Exception, match="the local pipeline does not run"):
        LocalRuntime(assembly, state=state, port=None).reload()
