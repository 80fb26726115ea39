"""The event source mapping after a kill, and after an iterator expired."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from local.emulator import Emulator, client
from local.mapping.event_source import EventSourceMapping
from tests.functional.local.support import (
    QUICK,
    REGION,
    Handler,
    mapping_settings,
    put,
)

READ = """
        import time
        from pathlib import Path
        from local.emulator import client
        from local.invocation import Invocation
        from local.mapping.event_source import EventSourceMapping
        from local.mapping.settings import MappingSettings
        def invoke(event, request_id=None):
            with open({log!r}, "a") as file:
                file.write("".join(
                    r["kinesis"]["partitionKey"] + "\\n" for r in event["Records"]))
            time.sleep(0.02)
            return Invocation(None)
        mapping = EventSourceMapping(
            {settings!r}, invoke=invoke, checkpoints=Path({checkpoints!r}),
            clients=lambda name: client(
                name, endpoint_url={endpoint_url!r}, region="us-west-2"))
        mapping.start()
        print("started", flush=True)
        mapping.wait_until_idle(60)
        print("idle", flush=True)
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
    script = dedent(READ).format(
        log=str(log),
        settings=settings,
        checkpoints=str(tmp_path / "checkpoints"),
        endpoint_url=shared_emulator.endpoint_url,
    )
    for wanted in (150, 350):
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
        )
        with process:
            deadline = time.monotonic() + 30
            while not log.exists() or len(log.read_text().splitlines()) < wanted:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            os.kill(process.pid, signal.SIGKILL)
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)

    seen = log.read_text().splitlines()
    assert set(seen) == set(keys)
    assert len(seen) <= 600 + 2 * 10 * lanes


def test_an_expired_iterator_is_replaced(shared_emulator: Emulator, tmp_path: Path) -> None:
    settings, handler = mapping_settings(shared_emulator), Handler()
    kinesis = client("kinesis", endpoint_url=shared_emulator.endpoint_url, region=REGION)
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
        assert mapping.wait_until_idle(20)
        put(shared_emulator, settings, ["b"])
        assert mapping.wait_until_idle(20)

    assert handler.seen == ["a", "b"]
