"""The smoke test and the load test against the local runtime, with every source's requests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from loadtests import smoke as smoke_test
from local import emulator, endpoints
from tests.e2e.conftest import ROOT, Running, synthesized
from tests.support.catalogue import ROUTED
from tests.support.command import Done

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.endpoints import Endpoints

STACK = "MozDef-EF-deployed-smoke"
ASSUMED = """\
<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>
<SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""
GUARDED = """\
version: 1
title: A source that takes requests from its sender's own network alone
authentication: {type: token}
allowed_networks: [192.0.2.0/24]
"""
SAMPLE = "description: A sample\nbody: '{}'\nexpect: {outcome: delivered}\n"


@pytest.fixture(scope="module")
def private_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config") / "sources"
    (folder / "guarded" / "samples").mkdir(parents=True)
    (folder / "guarded" / "source.yaml").write_text(GUARDED)
    (folder / "guarded" / "samples" / "one.yaml").write_text(SAMPLE)
    return folder


@pytest.fixture(scope="module")
def names(private_sources: Path) -> list[str]:
    """The names of the sources that are deployed."""
    lines = "cloudflare-logpush"  # whose events nothing makes new
    return [*(name for name in ROUTED if name != lines), "guarded"]


@pytest.fixture(scope="module")
def running(private_sources: Path, names: list[str]) -> Iterator[Running]:
    config = private_sources.parent
    runtime = Running(config / "state", *synthesized(config, sources=names))
    try:
        runtime.wait()
        yield runtime
    finally:
        runtime.stop()


def smoke(running: Running, sources: Path, *words: str) -> Done:
    return here("--state", str(running.state), "--private-sources", str(sources), *words)


def here(*words: str) -> Done:
    """Run the smoke test in this process, which knows the sources already."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        status = smoke_test.main(words)
    return Done(status, out.getvalue(), err.getvalue())


def locust(running: Running, sources: Path, *words: str) -> subprocess.CompletedProcess[str]:
    where = ["--state", str(running.state), "--private-sources", str(sources)]
    rate = ["--users", "4", "--request-rate", "40", "--seconds", "3"]
    # What is shown here is what the thresholds decide, and not how fast this machine is.
    slow = ["--p95-ms", "60000", "--p99-ms", "60000"]
    return subprocess.run(
        [
            Path(sys.executable).parent / "locust",
            *("-f", "loadtests/locustfile.py", "--headless", "--only-summary"),
            *rate,
            *slow,
            *where,
            *words,
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_source_is_well_and_so_it_is_a_second_time(
    running: Running, private_sources: Path, names: list[str]
) -> None:
    for _ in range(2):
        done = smoke(running, private_sources, "--timeout", "60")
        assert done.status == 0, done.out + done.err
        lines = done.out.splitlines()
        assert lines[-1] == "Every event is accounted for."
        said = {name: [line for line in lines if line.startswith(f"{name} ")] for name in names}
        for name in set(names) - {"guarded"}:
            assert any("delivered, and archived" in line for line in said[name]), said[name]
            forged = [line for line in said[name] if ", forged" in line]
            refused = [line for line in forged if line.endswith(("answered 401", "answered 403"))]
            rejected = [line for line in forged if "rejected:bad_signature, and arch" in line]
            assert refused or rejected, forged
        assert len(said["guarded"]) == 2
        assert all(line.endswith("answered 403") for line in said["guarded"])


def test_no_message_is_taken_away_from_mozdef(running: Running, private_sources: Path) -> None:
    where = endpoints.read(running.state)
    sqs = client(where, "sqs")

    def waiting() -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = sqs.get_queue_attributes(QueueUrl=where.queues["github"], AttributeNames=names)
        assert answer["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "0"
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    before = waiting()
    assert smoke(running, private_sources, "--timeout", "60").status == 0
    assert waiting() == before + 1


def client(where: Endpoints, service: str) -> Any:
    return emulator.client(
        service,
        endpoint_url=where.aws_endpoint_url,
        region=where.region,
        credentials=where.credentials,
    )


def make_stack(where: Endpoints, name: str, **outputs: str) -> None:
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {output: {"Value": value} for output, value in outputs.items()},
    }
    cloudformation = client(where, "cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1}
    )


def outputs_of(where: Endpoints, *sources: str) -> dict[str, str]:
    """The outputs of a stack whose sources are some of the running pipeline's."""
    pages = client(where, "ssm").get_paginator("describe_parameters").paginate()
    parameters = {
        one["Name"].split("/")[2]: one["Name"] for page in pages for one in page["Parameters"]
    }
    described = {name: {"parameter": parameters[name]} for name in sources}
    return {
        "ApiUrl": f"{where.api}/",
        "ArchiveBucketName": where.archive_bucket,
        "DedupeTableName": where.dedupe_table,
        "Sources": json.dumps(described),
    }


@pytest.fixture(scope="module")
def deployed(running: Running) -> dict[str, str]:
    """A stack whose outputs are those of the running pipeline; what reaches it, as variables."""
    where = endpoints.read(running.state)
    make_stack(where, STACK, **outputs_of(where, *where.queues))
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": where.aws_endpoint_url,
        **where.credentials.environment(),
    }


def test_what_is_not_archived_in_time_is_a_fault(
    running: Running, deployed: dict[str, str], private_sources: Path
) -> None:
    """Its outputs name a bucket that nothing writes to."""
    where = endpoints.read(running.state)
    client(where, "s3").create_bucket(
        Bucket="nothing-comes-here",
        CreateBucketConfiguration={"LocationConstraint": where.region},
    )
    outputs = outputs_of(where, "github") | {"ArchiveBucketName": "nothing-comes-here"}
    make_stack(where, "forgetful", **outputs)
    late = on_stack(deployed, private_sources, "forgetful", "--timeout", "0")
    assert late.status == 1
    assert "not in the ledger in time" in late.err
    assert late.out.splitlines()[-1] == "Failed."


@pytest.fixture
def roles(deployed: dict[str, str]) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Serve STS, which the emulator does not: who takes a role may call it, and nobody else.

    Gives the variables of a caller whose own key opens nothing, and the roles that were asked for.
    """
    asked: list[str] = []
    given = deployed["AWS_ACCESS_KEY_ID"], deployed["AWS_SECRET_ACCESS_KEY"]

    class Sts(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            assert form["Action"] == ["AssumeRole"]
            asked.extend(form["RoleArn"])
            body = ASSUMED.format(*given).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Sts)
    threading.Thread(target=server.serve_forever).start()
    try:
        own = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
        sts = f"http://127.0.0.1:{server.server_port}"
        yield {**deployed, **own, "AWS_ENDPOINT_URL_STS": sts}, asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_stack_is_found_by_its_outputs_through_a_role(
    roles: tuple[dict[str, str], list[str]], private_sources: Path, names: list[str]
) -> None:
    environment, asked = roles
    role = ["--role-arn", "arn:aws:iam::000000000000:role/smoke", "--aws-region", "us-west-2"]
    done = on_stack(environment, private_sources, STACK, *role)
    assert done.status == 0, done.out + done.err
    assert set(asked) == {role[1]}
    first, *_, last = done.out.splitlines()
    assert first == f"Smoke test of stack {STACK}: {', '.join(sorted(names))}"
    assert last == "Every event is accounted for."


def test_a_stack_that_is_not_there_is_told(deployed: dict[str, str], private_sources: Path) -> None:
    done = on_stack(deployed, private_sources, "absent")
    assert done.status == 2
    assert done.err.startswith("smoke: absent: cannot be described")


def test_a_secret_that_nobody_wrote_is_told(
    running: Running, deployed: dict[str, str], private_sources: Path
) -> None:
    described = json.dumps({"github": {"parameter": "/nothing/here"}})
    outputs = {"ApiUrl": "a", "ArchiveBucketName": "b", "DedupeTableName": "c"}
    make_stack(endpoints.read(running.state), "silent", **outputs, Sources=described)
    done = on_stack(deployed, private_sources, "silent")
    assert done.status == 2
    assert "/nothing/here: cannot be read (ParameterNotFound); write the source's" in done.err


def on_stack(environment: dict[str, str], sources: Path, *words: str) -> Done:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return here("--private-sources", str(sources), "--stack", *words)


def test_the_load_test_ends_well_within_its_thresholds(
    running: Running, private_sources: Path, tmp_path: Path
) -> None:
    words = ["--shape", "spike", "--duplicates", "0.3", "--bad-requests", "0.3"]
    words += ["--mix", "github=1"]
    report = ["--html", str(tmp_path / "load.html"), "--csv", str(tmp_path / "load")]
    done = locust(running, private_sources, *words, *report)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "/github" in (tmp_path / "load_stats.csv").read_text()
    assert "(copy)" in (tmp_path / "load_stats.csv").read_text()
    assert "(bad)" in (tmp_path / "load_stats.csv").read_text()
    assert (tmp_path / "load.html").stat().st_size > 0


def test_the_load_test_fails_above_a_threshold(running: Running, private_sources: Path) -> None:
    done = locust(running, private_sources, "--mix", "github=1", "--p99-ms", "0.001")
    assert done.returncode == 1
    assert "threshold exceeded: 99th percentile" in done.stderr


def test_the_load_test_fails_where_answers_are_wrong(
    running: Running, private_sources: Path, tmp_path: Path
) -> None:
    """A source of this name that the running pipeline does not have as it is described here."""
    other = tmp_path / "sources"
    (other / "generic" / "samples").mkdir(parents=True)
    settings = GUARDED.replace("allowed_networks: [192.0.2.0/24]\n", "")
    (other / "generic" / "source.yaml").write_text(
        settings.replace("token}", "token, header: X-T}")
    )
    (other / "generic" / "samples" / "one.yaml").write_text(SAMPLE)
    (other / "guarded").symlink_to(private_sources / "guarded")
    done = locust(running, other, "--mix", "generic=1")
    assert done.returncode == 1
    assert "threshold exceeded: error rate: 9" in done.stderr or "100.000%" in done.stderr


def test_a_mix_that_is_none_is_told(running: Running, private_sources: Path) -> None:
    """One of the mistakes that `parse_mix` finds, as locust's own process tells it."""
    done = locust(running, private_sources, "--mix", "nowhere=1")
    assert done.returncode != 0
    assert "no such source" in done.stderr


def test_nothing_that_runs_is_wrong_usage(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.smoke", "--state", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "nothing runs" in done.stderr


def test_each_asset_is_small_enough_for_a_cold_start(
    running: Running, private_sources: Path, tmp_path: Path
) -> None:
    assets = [
        path for path in (private_sources.parent / "cdk.out").glob("asset.*") if path.is_dir()
    ]
    assert len(assets) == 3, "the code, the layer, and the bills of materials"
    for asset in assets:
        archive = shutil.make_archive(str(tmp_path / asset.name), "zip", asset)
        assert Path(archive).stat().st_size < 5_000_000
