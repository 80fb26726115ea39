"""The reconciler as it was built, on the archive of a running pipeline: it finds what one lost."""

from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from loadtests.deploy_check.permissions import RecordedCalls, reviews, unexplained
from local import emulator
from local.accounts import metric_lines
from local.assembly import find_template
from local.lambdas import configure
from pipeline.archive.keys import FAILED_PREFIX, LEDGER_PREFIX, RAW_PREFIX, hour_folder
from pipeline.reconciliation.reconciler import due_hour
from tests.e2e.conftest import Running, built_function, options_of
from tests.e2e.test_local_pipeline import command
from tests.support.command import run_here

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from local.endpoints import Endpoints
    from local.function_host import FunctionHost
    from local.template import Template

SENT = 40


class Archive:
    """The archive of the running pipeline, with time that can be turned back."""

    def __init__(self, where: Endpoints) -> None:
        self.s3: S3Client = emulator.client(
            "s3",
            endpoint_url=where.aws_endpoint_url,
            region=where.region,
            credentials=where.credentials,
        )
        self.bucket = where.archive_bucket

    def keys(self, prefix: str) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]

    def read(self, key: str) -> list[bytes]:
        body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return gzip.decompress(body).splitlines()

    def write(self, key: str, lines: list[bytes]) -> None:
        body = gzip.compress(b"".join(line + b"\n" for line in lines))
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def make_due(self) -> None:
        """Copy what came by now to the hour that is compared now, and to the one after it."""
        now = time.time()
        hours = [hour_folder(due_hour(when).timestamp()) for when in (now, now + 3_600)]
        for prefix in (RAW_PREFIX, LEDGER_PREFIX):
            for key in self.keys(prefix):
                lines = self.read(key)
                for hour in hours:
                    self.write(moved(key, hour), lines)

    def due(self, prefix: str) -> list[str]:
        hours = [hour_folder(due_hour(time.time() + ahead).timestamp()) for ahead in (0, 3_600)]
        return [key for key in self.keys(prefix) if any(f"/{hour}" in f"/{key}" for hour in hours)]


def moved(key: str, hour: str) -> str:
    *_, day, clock, name = key.split("/")
    return key.replace(f"{day}/{clock}/{name}", f"{hour}{name}")


@pytest.fixture(scope="module")
def own(
    routed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, Endpoints]]:
    """A pipeline of this module's own: its archive is damaged on purpose."""
    runtime = Running(tmp_path_factory.mktemp("reconciler") / "state", *options_of(routed))
    try:
        yield runtime, runtime.wait()
    finally:
        runtime.stop()


@pytest.fixture(scope="module")
def built(
    routed: Path, own: tuple[Running, Endpoints], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FunctionHost]:
    """The function of the template, from the code asset, with the variables of the stack."""
    host = built_function(
        routed,
        own[1],
        "reconciler",
        tmp_path_factory.mktemp("logs"),
        ARCHIVE_BUCKET=own[1].archive_bucket,
    )
    yield host
    host.close()


def template_of(routed: Path, where: Endpoints) -> Template:
    return find_template(routed / "cdk.out", region=where.region)


def functions(template: Template, handler: str) -> list[str]:
    return [
        resource.logical_id
        for resource in template.resources("AWS::Lambda::Function")
        if resource.properties["Handler"] == f"stream_processors.{handler}.handler"
    ]


def compare(built: FunctionHost) -> tuple[Any, dict[str, float]]:
    """Call it; return its answer, and the metrics that it wrote by now, the last ones winning."""
    called = built.invoke({})
    assert called.function_error is None, called.payload
    metrics = {}
    for line in metric_lines(built.config.log):
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
            name = f"{metric['Name']} {line.get('consumer', '')}".strip()
            metrics[name] = line[metric["Name"]][0]
    return called.payload, metrics


def test_a_record_that_the_ledger_lacks_is_counted_and_named(
    own: tuple[Running, Endpoints], built: FunctionHost
) -> None:
    running, where = own
    words = ("--count", str(SENT), "--corrupt-every", "10", "--duplicate-every", "7")
    command("send", "github", *words, "--state", str(running.state), "--json")
    running.settle()
    archive = Archive(where)
    archive.make_due()
    answer, metrics = compare(built)
    assert metrics == {
        "RecordsCompared": SENT,
        "ShardsNotCompared": 0,
        "UnreadableLines": 0,
        "UnmatchedRecords fan-out": 0,
        "UnmatchedRecords archiver": 0,
    }, answer

    lost: set[str] = set()
    for key in archive.due(LEDGER_PREFIX):
        lines = archive.read(key)
        gone = [line for line in lines if not lost or json.loads(line)["id"] in lost]
        if gone:
            lost |= {json.loads(gone[0])["id"]}
            archive.write(key, [line for line in lines if json.loads(line)["id"] not in lost])
    answer, metrics = compare(built)
    assert metrics["RecordsCompared"] == SENT
    assert metrics["UnmatchedRecords fan-out"] == 1
    assert metrics["UnmatchedRecords archiver"] == 0
    assert [one["id"] for one in answer["lacking"]["fan-out"]] == list(lost)
    assert answer["lacking"]["fan-out"][0]["sequence_number"] in built.config.log.read_text()


def test_it_knows_the_consumers_by_the_names_that_failure_records_have(
    routed: Path, own: tuple[Running, Endpoints], built: FunctionHost
) -> None:
    template = template_of(routed, own[1])
    for variable, handler in {
        "FAN_OUT_FUNCTION": "fan_out",
        "ARCHIVER_FUNCTION": "archiver",
    }.items():
        (name,) = functions(template, handler)
        consumer = configure(
            template,
            name,
            assembly=routed / "cdk.out",
            endpoint_url="",
            credentials=own[1].credentials,
            logs=routed,
        )
        assert consumer.arn.endswith(f":function:{built.config.environment[variable]}")


def test_its_schedule_has_run_on_the_laptop_and_status_says_so(
    own: tuple[Running, Endpoints],
) -> None:
    running, _ = own
    running.settle()
    schedules = json.loads((running.state / "status.json").read_text())["schedules"]
    (schedule,) = (one for name, one in schedules.items() if name.startswith("Reconciler"))
    assert (schedule["idle"], schedule["errors"]) == (True, 0)
    done = run_here("status", "--state", running.state, "--json")
    accounts = json.loads(done.out)["accounts"]
    assert accounts["unmatched"] == {"fan-out": 0, "archiver": 0}
    assert accounts["left_out"] == 0


def test_each_permission_of_its_role_is_called_for(
    own: tuple[Running, Endpoints], built: FunctionHost
) -> None:
    archive = Archive(own[1])
    archive.s3.put_object(Bucket=archive.bucket, Key=f"{FAILED_PREFIX}x/shardId-0/y", Body=b"{}")
    compare(built)
    recorded = RecordedCalls.of(own[0].state)
    assert recorded
    assert unexplained(reviews([recorded]), {"ReconcilerRole"}) == []
