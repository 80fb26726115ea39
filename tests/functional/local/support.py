"""What the tests of the local runtime share: functions, mappings, looks at processes."""

from __future__ import annotations

import json
import os
import select
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from local.credentials import RunCredentials
from local.invocation import Invocation
from local.lambdas import FunctionConfig, configure
from local.mapping.event_source import EventSourceMapping
from local.mapping.lane import Backoff
from local.mapping.settings import MappingSettings
from local.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.emulator import Emulator

REGION = "us-west-2"
CREDENTIALS = RunCredentials("LOCALID", "a secret")
QUICK = Backoff(first=0.01, longest=0.02)
ERROR = Invocation({"errorType": "KeyError", "errorMessage": "no"}, "Unhandled")
CODE = """
import json, os, re, signal, subprocess, sys, time

def echo(event, context):
    print(json.dumps({"_aws": "line", "n": event.get("n")}))
    return {"event": event, "id": context.aws_request_id, "env": sorted(os.environ),
            "left": context.get_remaining_time_in_millis(), "path": sys.path[0],
            "name": context.function_name, "arn": context.invoked_function_arn}

def fail(event, context):
    raise KeyError("no such thing")

def leave(event, context):
    os._exit(7)

def die(event, context):
    os.kill(os.getpid(), 9)

def eat(event, context):
    eaten = bytearray(event["mib"] << 20)
    for at in range(0, len(eaten), 4096):  # memory counts once it is written to
        eaten[at] = 1
    while event["then"] == "hang":
        pass
    return len(eaten)

def hang(event, context):
    re.match(r"(a+)+$", "a" * 64 + "b")

def stop(event, context):
    os.kill(os.getpid(), signal.SIGSTOP)

def spawn(event, context):
    subprocess.run(["sleep", "600"])

def odd(event, context):
    return {"set": {1}}

def large(event, context):
    return "x" * (7 * 1024 * 1024)

def imported(event, context):
    import pipeline, boto3
    return [pipeline.__file__, boto3.__file__, "pytest" in sys.modules]
"""


def function_template(handler: str, **properties: object) -> Template:
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": handler,
            "Timeout": 60,
            "MemorySize": 256,
            "Code": {"S3Bucket": "b", "S3Key": "abc.zip"},
            "Environment": {"Variables": {"STAGE": "dev", "AWS_REGION": "never"}},
            **properties,
        },
    }
    return Template({"Resources": {"Function": function}}, "Stack", "us-west-2")


def function_config(
    tmp_path: Path, handler: str, code: str = CODE, **properties: object
) -> FunctionConfig:
    directory = tmp_path / "asset.abc"
    (directory / "pipeline").mkdir(parents=True, exist_ok=True)
    (directory / "pipeline" / "__init__.py").write_text("")
    (directory / "handlers.py").write_text(dedent(code))
    return configure(
        function_template(handler, **properties),
        "Function",
        assembly=tmp_path,
        endpoint_url="http://127.0.0.1:1",
        credentials=CREDENTIALS,
        logs=tmp_path,
    )


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z")


@dataclass
class Handler:
    """A function that keeps what it was called with."""

    answer: Callable[[list[str]], Invocation] = lambda _: Invocation(None)
    batches: list[list[str]] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    requests: list[str | None] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: Any, *, request_id: str | None = None) -> Invocation:
        keys = [record["kinesis"]["partitionKey"] for record in event["Records"]]
        with self.lock:
            self.batches.append(keys)
            self.events.append(event)
            self.requests.append(request_id)
        return self.answer(keys)

    @property
    def seen(self) -> list[str]:
        return [key for batch in self.batches for key in batch]


def mapping_settings(emulator: Emulator, *, shards: int = 1, **changes: Any) -> MappingSettings:
    stream = f"stream-{uuid.uuid4()}"
    emulator.client("kinesis").create_stream(StreamName=stream, ShardCount=shards)
    return MappingSettings(
        logical_id="Mapping",
        uuid=str(uuid.uuid4()),
        function="Function",
        function_arn="arn:aws:lambda:us-west-2:000000000000:function:Function",
        stream=stream,
        stream_arn=f"arn:aws:kinesis:{REGION}:000000000000:stream/{stream}",
        **changes,
    )


def mapping_of(
    emulator: Emulator, settings: MappingSettings, handler: Any, path: Path, **options: Any
) -> EventSourceMapping:
    return EventSourceMapping(
        settings,
        invoke=handler,
        checkpoints=path,
        **{"clients": emulator.client, "backoff": QUICK, **options},
    )


def put(emulator: Emulator, settings: MappingSettings, keys: list[str]) -> list[str]:
    kinesis = emulator.client("kinesis")
    numbers: list[str] = []
    for start in range(0, len(keys), 500):
        entries = [{"Data": key.encode(), "PartitionKey": key} for key in keys[start : start + 500]]
        put = kinesis.put_records(StreamName=settings.stream, Records=entries)
        numbers += [record["SequenceNumber"] for record in put["Records"]]
    return numbers


def new_bucket(emulator: Emulator) -> str:
    name = f"archive-{uuid.uuid4()}"
    emulator.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return name


def objects_in(emulator: Emulator, bucket: str) -> dict[str, Any]:
    s3 = emulator.client("s3")
    found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {
        each["Key"]: json.loads(s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read())
        for each in found
    }


# A limit against hanging, in seconds: nothing that works comes near it.
HANGS = 600.0


def wait_until_gone(pids: list[int], seconds: float = HANGS) -> None:
    deadline = time.monotonic() + seconds
    for pid in pids:
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)  # can be read from once the process has ended
            try:
                left = max(0.0, deadline - time.monotonic())
                ended, _, _ = select.select([descriptor], [], [], left)
            finally:
                os.close(descriptor)
            assert ended, f"still running: {pid}"


def wait_for(reached: Callable[[], bool], what: str) -> None:
    """Wait for what another process does, and tells nobody of."""
    deadline = time.monotonic() + HANGS
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def wait_for_status(state: Path, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the status file of a runtime, once it says so."""
    status: dict[str, Any] = {}

    def says_so() -> bool:
        nonlocal status
        try:
            status = json.loads((state / "status.json").read_text())
        except FileNotFoundError:
            return False
        return reached(status)

    wait_for(says_so, f"the status file never said so: {status}")
    return status


def processes_with(state: Path) -> list[str]:
    """The command lines of processes that name a state directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(state) in words:
            found.append(words)
    return found
