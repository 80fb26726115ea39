"""The event source mapping after a kill, and after an iterator expired."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from local.mapping.event_source import EventSourceMapping
from tests.functional.local.support import (
    QUICK,
    Handler,
    mapping_settings,
    put,
)

if TYPE_CHECKING:
    from local.emulator import Emulator

READ = """
        import os
        import threading
        from pathlib import Path
        from local.credentials import RunCredentials
        from local.emulator import client
        from local.invocation import Invocation
        from local.mapping.event_source import EventSourceMapping
        from local.mapping.settings import MappingSettings
        lock = threading.Lock()
        def invoke(event, request_id=None):
            with lock, open({log!r}, "a+") as file:
                file.write("".join(
                    r["kinesis"]["partitionKey"] + "\\n" for r in event["Records"]))
                file.seek(0)
                enough = len(file.readlines()) >= {wanted}
                if enough:
                    print("enough", flush=True)
            if enough:
                threading.Event().wait()
            return Invocation(None)
        mapping = EventSourceMapping(
            {settings!r}, invoke=invoke, checkpoints=Path({checkpoints!r}),
            clients=lambda name: client(
                name, endpoint_url={endpoint_url!r}, region="us-west-2",
                credentials=RunCredentials.read(os.environ)))
        mapping.start()
        assert mapping.wait_until_idle(600)
"""


@pytest.mark.parametrize("lanes", [1, 3])
def test_it_goes_on_where_it_was_killed(
    shared_emulator: Emulator, tmp_path: Path, lanes: int
) -> None:
    """Nothing is lost, and what was settled does not come again: at most one batch of each lane."""
    settings = mapping_settings(shared_emulator, batch_size=10, lanes=lanes)
    keys = [f"key-{number}" for number in range(600)]
    put(shared_emulator, settings, keys)
    log = tmp_path / "seen"
    parts = {
        "log": str(log),
        "settings": settings,
        "checkpoints": str(tmp_path / "checkpoints"),
        "endpoint_url": shared_emulator.endpoint_url,
    }
    environment = {**os.environ, **shared_emulator.credentials.environment()}
    for wanted in (150, 350):  # killed in the midst of the batch that makes so many
        script = dedent(READ).format(wanted=wanted, **parts)
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert process.stdout is not None
        with process:
            assert process.stdout.readline() == "enough\n"
            os.kill(process.pid, signal.SIGKILL)
    script = dedent(READ).format(wanted=10_000, **parts)
    subprocess.run(
        [sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL, env=environment
    )

    seen = log.read_text().splitlines()
    assert set(seen) == set(keys)
    assert len(seen) <= 600 + 2 * 10 * lanes


def test_an_expired_iterator_is_replaced(shared_emulator: Emulator, tmp_path: Path) -> None:
    settings, handler = mapping_settings(shared_emulator), Handler()
    kinesis = shared_emulator.client("kinesis")
    original, calls = kinesis.get_records, 0

    def get_records(**arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            arguments["ShardIterator"] = "gone"
        return original(**arguments)

    kinesis.get_records = get_records
    mapping = EventSourceMapping(
        settings, invoke=handler, clients=lambda _: kinesis, checkpoints=tmp_path, backoff=QUICK
    )
    put(shared_emulator, settings, ["a"])
    with mapping:
        assert mapping.wait_until_idle(60)
        put(shared_emulator, settings, ["b"])
        assert mapping.wait_until_idle(60)

    assert handler.seen == ["a", "b"]
