"""The emulator's state: it outlives a killed parent, and half of it is not used."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from local.emulator import Emulator
from local.processes import ProcessFailedError
from local.provision import provision
from tests.functional.local.data_plane_template import small_data_plane
from tests.functional.local.support import wait_until_gone

if TYPE_CHECKING:
    from pathlib import Path

REGION = "us-west-2"
FILL = """
        import sys
        from pathlib import Path
        from local.emulator import Emulator
        from local.provision import provision
        from tests.functional.local.data_plane_template import small_data_plane
        emulator = Emulator(Path({state!r}), region="us-west-2")
        emulator.start()
        template = small_data_plane()
        provision(template, emulator)
        kinesis = emulator.client("kinesis")
        for number in range(50):
            kinesis.put_record(
                StreamName=template.physical_ids["Stream"], Data=b"\\xff%d" % number,
                PartitionKey=str(number))
        emulator.client("s3").put_object(
            Bucket=template.physical_ids["Bucket"], Key="raw/a=b/1.gz", Body=b"\\x00\\xff")
        emulator.client("sqs").send_message(
            QueueUrl=template.physical_ids["Queue"], MessageBody="kept")
        print(emulator.pid, flush=True)
        sys.stdin.read()
"""


def test_the_state_outlives_a_killed_parent(tmp_path: Path) -> None:
    """Everything that was answered is there again, and the emulator itself is gone."""
    script = dedent(FILL).format(state=str(tmp_path))
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    wait_until_gone([pid])

    emulator = Emulator(tmp_path, region=REGION)
    assert emulator.discard_incomplete_state()
    with emulator:
        template = small_data_plane()
        provision(template, emulator)
        stream = template.physical_ids["Stream"]
        assert len(_records(emulator, stream)) == 50
        found = emulator.client("s3").get_object(
            Bucket=template.physical_ids["Bucket"], Key="raw/a=b/1.gz"
        )
        assert found["Body"].read() == b"\x00\xff"
        queue = template.physical_ids["Queue"]
        assert queue.startswith(emulator.endpoint_url)
        received = emulator.client("sqs").receive_message(QueueUrl=queue)["Messages"]
        assert [message["Body"] for message in received] == ["kept"]


def test_a_state_that_was_not_written_to_its_end_is_not_used(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path, region=REGION)
    emulator.start()
    os.kill(emulator.pid, signal.SIGKILL)
    wait_until_gone([emulator.pid])
    with pytest.raises(ProcessFailedError, match=r"ended with status -9; see .*emulator\.log"):
        emulator.check()
    emulator.stop()
    (tmp_path / "emulator").mkdir(exist_ok=True)
    (tmp_path / "emulator" / "kinesis.json").write_text("{}")

    assert not Emulator(tmp_path, region=REGION).discard_incomplete_state()
    assert not (tmp_path / "emulator").exists()


def test_it_leaves_once_a_stack_that_is_being_made_is_there(tmp_path: Path) -> None:
    """In the midst of it, it would come back with a stack that is never done."""
    queues = {f"Queue{number}": {"Type": "AWS::SQS::Queue"} for number in range(500)}
    services = ("cloudformation", "sqs")
    with Emulator(tmp_path, region=REGION, services=services) as emulator:
        cloudformation = emulator.client("cloudformation")
        cloudformation.create_stack(
            StackName="queues", TemplateBody=json.dumps({"Resources": queues})
        )
    with Emulator(tmp_path, region=REGION, services=services) as emulator:
        (stack,) = emulator.client("cloudformation").describe_stacks()["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"


def _records(emulator: Emulator, stream: str) -> list[bytes]:
    kinesis = emulator.client("kinesis")
    found: list[bytes] = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = kinesis.get_records(ShardIterator=iterator)["Records"]
        found += [record["Data"] for record in records]
    return found
