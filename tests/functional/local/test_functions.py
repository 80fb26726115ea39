"""Lambda functions in processes of their own: what the caller gets, and what is left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]
import pytest

from local.function_host import FunctionHost, FunctionUnavailableError
from local.lambdas import configure, find_function
from local.template import TemplateError
from tests.functional.local.support import (
    CREDENTIALS,
    function_config,
    function_template,
    wait_until_gone,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.invocation import Invocation


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[list[FunctionHost]]:
    started: list[FunctionHost] = []
    yield started
    for host in started:
        host.close()
        assert host.pids() == []


def _host(
    tmp_path: Path, hosts: list[FunctionHost], handler: str, **properties: Any
) -> FunctionHost:
    host = FunctionHost(function_config(tmp_path, handler, **properties))
    hosts.append(host)
    return host


def test_a_handler_gets_event_context_and_its_environment_alone(
    tmp_path: Path, hosts: list[FunctionHost]
) -> None:
    host = _host(tmp_path, hosts, "handlers.echo")

    outcome = host.invoke({"n": 1, "text": "ä"}, request_id="r-1")

    assert outcome.function_error is None
    payload = outcome.payload
    assert payload["event"] == {"n": 1, "text": "ä"}
    assert payload["id"] == "r-1"
    assert 0 < payload["left"] <= 60_000
    assert payload["name"] == "Function"
    assert payload["arn"].endswith(":function:Function")
    assert payload["path"] == str(tmp_path / "asset.abc")
    assert "STAGE" in payload["env"]
    assert "HOME" not in payload["env"]
    assert host.config.environment["AWS_REGION"] == "us-west-2"
    assert '{"_aws": "line", "n": 1}' in host.config.log.read_text()


def test_the_deployed_code_wins_and_its_directory_stays_as_it_was(
    tmp_path: Path, hosts: list[FunctionHost]
) -> None:
    host = _host(tmp_path, hosts, "handlers.imported")

    package, library, leaked = host.invoke({}).payload

    assert package == str(tmp_path / "asset.abc" / "pipeline" / "__init__.py")
    assert "site-packages" in library
    assert not leaked
    assert not list((tmp_path / "asset.abc").rglob("__pycache__"))


def test_a_process_is_used_again_and_calls_run_side_by_side(
    tmp_path: Path, hosts: list[FunctionHost]
) -> None:
    host = _host(tmp_path, hosts, "handlers.echo")
    host.warm(2)
    threads = [threading.Thread(target=host.invoke, args=({"n": n},)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 <= len(host.pids()) <= 8
    assert len(host.config.log.read_text().splitlines()) == 20


@pytest.mark.parametrize(
    ("handler", "kind", "message"),
    [
        ("handlers.fail", "KeyError", "'no such thing'"),
        ("handlers.leave", "Runtime.ExitError", "exit status 7"),
        ("handlers.die", "Runtime.ExitError", "signal: killed"),
        ("handlers.hang", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
        ("handlers.odd", "Runtime.MarshalError", "Unable to marshal response"),
        ("handlers.large", "Function.ResponseSizeTooLarge", "exceeded 6291456 bytes"),
        ("missing.handler", "Runtime.ImportModuleError", "No module named 'missing'"),
    ],
)
def test_a_failing_handler_is_a_function_error(
    tmp_path: Path, hosts: list[FunctionHost], handler: str, kind: str, message: str
) -> None:
    patience = {"Timeout": 1} if handler == "handlers.hang" else {}
    host = _host(tmp_path, hosts, handler, **patience)

    outcome = host.invoke({})

    assert outcome.function_error == "Unhandled"
    assert outcome.payload["errorType"] == kind
    assert message in outcome.payload["errorMessage"]
    assert kind in host.config.log.read_text()
    # The next call gets a process again.
    assert host.invoke({}).payload["errorType"] == kind


def test_what_a_handler_raises_is_logged_as_by_lambdas_runtime_client(
    tmp_path: Path, hosts: list[FunctionHost]
) -> None:
    """Its members, in this order: `make_error` and `log_error` of awslambdaric/bootstrap.py."""
    host = _host(tmp_path, hosts, "handlers.fail")
    host.invoke({}, request_id="r-1")
    (line,) = host.config.log.read_text().splitlines()
    logged = json.loads(line)
    first = ["timestamp", "log_level"]
    assert list(logged) == [*first, "errorMessage", "errorType", "requestId", "stackTrace"]
    assert (logged["log_level"], logged["requestId"]) == ("ERROR", "r-1")
    assert "handlers.py" in logged["stackTrace"][0]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a process")
@pytest.mark.parametrize("then", ["return", "hang"])
def test_a_handler_that_takes_more_memory_than_its_function_has_is_killed(
    tmp_path: Path, hosts: list[FunctionHost], then: str
) -> None:
    config = function_config(tmp_path, "handlers.eat", Timeout=60)
    host = FunctionHost(config)
    hosts.append(host)
    assert config.memory_mib == 256

    assert host.invoke({"mib": 100, "then": "return"}).payload == 100 << 20
    outcome = host.invoke({"mib": 300, "then": then}, request_id="r-1")

    assert outcome.function_error == "Unhandled"
    assert outcome.payload == {
        "errorType": "Runtime.OutOfMemory",
        "errorMessage": "RequestId: r-1 Error: Runtime exited with error: signal: killed",
    }
    assert host.pids() == []
    assert host.invoke({"mib": 1, "then": "return"}).payload == 1 << 20


def test_an_event_above_the_limit_never_reaches_the_handler(
    tmp_path: Path, hosts: list[FunctionHost]
) -> None:
    host = _host(tmp_path, hosts, "handlers.echo")

    with pytest.raises(FunctionUnavailableError, match="Lambda takes 6291456"):
        host.invoke({"text": "x" * (6 * 1024 * 1024)})


@dataclass
class Told:
    """Tells that a process is being called."""

    called: threading.Event

    def before(self, function: str, event: Any, pid: int) -> None:
        del function, event, pid
        self.called.set()

    def after(self, function: str, event: Any, outcome: Invocation) -> None:
        """Not of interest."""


def test_closing_ends_a_call_in_progress(tmp_path: Path, hosts: list[FunctionHost]) -> None:
    called = threading.Event()
    host = FunctionHost(function_config(tmp_path, "handlers.hang", Timeout=600), watch=Told(called))
    hosts.append(host)
    raised: list[BaseException] = []

    def call() -> None:
        try:
            host.invoke({})
        except FunctionUnavailableError as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert called.wait(60)
    host.close()
    thread.join(60)

    assert [str(error) for error in raised] == ["Function: the runtime is stopping"]


WAITS = """
import os, time

def handler(event, context):
    while event["for"] and not os.path.exists(event["for"]):
        time.sleep(0.01)
    return "done"
"""


def test_a_host_that_is_left_ends_its_call_first(tmp_path: Path, hosts: list[FunctionHost]) -> None:
    """As does one that was waiting; and no process stays."""
    called = threading.Event()
    config = function_config(tmp_path, "handlers.handler", WAITS, Timeout=600)
    host = FunctionHost(config, watch=Told(called))
    hosts.append(host)
    host.warm(2)
    answers: list[Any] = []
    go = tmp_path / "go"
    thread = threading.Thread(target=lambda: answers.append(host.invoke({"for": str(go)})))
    thread.start()
    assert called.wait(60)
    (busy,) = _left_by_retiring(host)
    go.touch()
    thread.join(60)

    assert [(one.payload, one.function_error) for one in answers] == [("done", None)]
    wait_until_gone([busy])
    assert host.invoke({"for": ""}).payload == "done"  # who was about to call it
    assert host.pids() == []


def _left_by_retiring(host: FunctionHost) -> list[int]:
    before = host.pids()
    host.retire()
    left = host.pids()
    wait_until_gone([pid for pid in before if pid not in left])
    return left


@pytest.mark.parametrize("handler", ["handlers.hang", "handlers.stop", "handlers.spawn"])
def test_no_handler_survives_its_killed_parent(tmp_path: Path, handler: str) -> None:
    """Not where it holds the interpreter, nor where it is stopped, nor what it has started."""
    function_config(tmp_path, handler)
    script = f"""
        import threading, time
        from pathlib import Path
        from local.function_host import FunctionHost
        from tests.functional.local.support import function_config
        class Tell:
            def before(self, function, event, pid):
                print(pid, flush=True)
        config = function_config(Path({str(tmp_path)!r}), {handler!r}, Timeout=600)
        threading.Thread(target=FunctionHost(config, watch=Tell()).invoke, args=({{}},)).start()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", dedent(script)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        process = psutil.Process(int(parent.stdout.readline()))
        _wait_for(
            {
                "handlers.hang": lambda: process.cpu_times().user > 0.05,
                "handlers.stop": lambda: process.status() == psutil.STATUS_STOPPED,
                "handlers.spawn": process.children,
            }[handler]
        )
        started = [each.pid for each in (process, *process.children())]
        parent.send_signal(signal.SIGKILL)

    wait_until_gone(started, 60)


def test_a_handler_that_is_stopped_at_its_first_moment_does_not_survive_its_parent(
    tmp_path: Path,
) -> None:
    """Before any of its own code has run, so that the parent must have taken care of it."""
    function_config(tmp_path, "handlers.echo")
    script = f"""
        import os, signal, sys
        from pathlib import Path
        from local import sandbox
        from tests.functional.local.support import function_config
        config = function_config(Path({str(tmp_path)!r}), "handlers.echo")
        sandbox = sandbox.Sandbox(
            config.handler,
            config.code,
            config.environment,
            config.log,
            worker=Path({str(tmp_path / "stop.py")!r}),
        )
        print(sandbox.pid, flush=True)
        signal.pause()
    """
    (tmp_path / "stop.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
    parent = subprocess.Popen(
        [sys.executable, "-c", dedent(script)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        try:
            process = psutil.Process(int(parent.stdout.readline()))
            _wait_for(lambda: process.status() == psutil.STATUS_STOPPED)
        finally:
            parent.send_signal(signal.SIGKILL)

    wait_until_gone([process.pid], 60)


def _wait_for(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 600
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_code_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"asset\.abc: no code here; run 'mozdef-ef synth'"):
        configure(
            function_template("handlers.echo"),
            "Function",
            assembly=tmp_path,
            endpoint_url="http://127.0.0.1:1",
            credentials=CREDENTIALS,
            logs=tmp_path,
        )


def test_a_function_is_found_by_name_and_by_arn() -> None:
    template = function_template("handlers.echo", FunctionName="named")

    assert find_function(template, "arn:aws:lambda:us-west-2:0:function:named") == "Function"
    assert find_function(template, "Function") == "Function"
    with pytest.raises(TemplateError, match="no such function"):
        find_function(template, "other")
