"""The emulator's S3 on a disk that takes nothing: it says so, and keeps what was there before."""

from __future__ import annotations

import resource
import uuid
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from local.emulator import Emulator

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux has it alone")
def test_what_the_disk_does_not_take_is_refused(shared_emulator: Emulator) -> None:
    s3, bucket = shared_emulator.client("s3"), f"bucket-{uuid.uuid4()}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket=bucket, Key="old", Body=b"as it was")
    pid = shared_emulator.pid
    # No file may grow: as where a disk is full, each write fails.
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, UNLIMITED))
    try:
        for key in ("old", "new"):
            with pytest.raises(ClientError) as refused:
                s3.put_object(Bucket=bucket, Key=key, Body=b"anything")
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["old"]
    assert s3.get_object(Bucket=bucket, Key="old")["Body"].read() == b"as it was"
    s3.put_object(Bucket=bucket, Key="new", Body=b"anything")
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"anything"
