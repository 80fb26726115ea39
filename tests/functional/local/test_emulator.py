"""The emulator's process and its clients: whatever the user has set, they stay on this machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]

from local.emulator import Emulator

if TYPE_CHECKING:
    import pytest


def test_the_users_own_settings_have_no_part_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_PROFILE": "none-such",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "GATEWAY_PORT": "1",
        "USE_SSL": "1",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "config").write_text("[default]\nregion = nowhere-1\nendpoint_url = http://x\n")

    with Emulator(tmp_path, region="us-west-2") as emulator:
        assert emulator.endpoint_url.startswith("http://127.0.0.1:")
        kinesis = emulator.client("kinesis")
        kinesis.create_stream(StreamName="events", ShardCount=1)
        arn = kinesis.describe_stream_summary(StreamName="events")["StreamDescriptionSummary"]
        assert arn["StreamARN"].startswith("arn:aws:kinesis:us-west-2:")


def test_times_of_answers_are_in_utc(tmp_path: Path) -> None:
    with Emulator(tmp_path, region="us-west-2") as emulator:
        kinesis, s3 = emulator.client("kinesis"), emulator.client("s3")
        kinesis.create_stream(StreamName="events", ShardCount=1)
        stream = kinesis.describe_stream_summary(StreamName="events")["StreamDescriptionSummary"]
        s3.create_bucket(
            Bucket="objects", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        )
        s3.put_object(Bucket="objects", Key="a b", Body=b"x" * 2_000_000)
        (item,) = s3.list_objects_v2(Bucket="objects")["Contents"]
        assert s3.get_object(Bucket="objects", Key="a b")["Body"].read() == b"x" * 2_000_000
        assert s3.head_object(Bucket="objects", Key="a b")["ContentLength"] == 2_000_000
    for when in (stream["StreamCreationTimestamp"], item["LastModified"]):
        assert when.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - when) < timedelta(minutes=5)


def test_ports_are_the_loopback_interfaces_alone(tmp_path: Path) -> None:
    with Emulator(tmp_path, region="us-west-2") as emulator:
        assert _listening(emulator.pid) == {f"127.0.0.1:{emulator.endpoint_url.rsplit(':', 1)[1]}"}


def _listening(pid: int) -> set[str]:
    """Return what a process listens on, from what the kernel says."""
    found = psutil.Process(pid).net_connections("inet")
    return {f"{one.laddr.ip}:{one.laddr.port}" for one in found if one.status == psutil.CONN_LISTEN}
