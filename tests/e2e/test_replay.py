"""What was rejected or delivered goes through the running pipeline again."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from loadtests.deploy_check.permissions import RecordedCalls, reviews, unexplained
from local import emulator
from pipeline.replay.job import JobStore, new_job_id
from tests.e2e.conftest import COMMAND, ROOT, Running, built_function
from tests.e2e.test_local_pipeline import command, drain, generic_token, post, settled, totals
from tests.support.command import run_here

if TYPE_CHECKING:
    from pathlib import Path

    from local.endpoints import Endpoints

# Only a run that hangs takes this long.
SECONDS = 600.0


def mozdef(running: Running, *words: str, status: int = 0) -> Any:
    """A command's JSON."""
    done = run_here(*words, "--state", running.state, "--json")
    assert done.status == status, done.out + done.err
    return json.loads(done.out)


def send(where: Endpoints, body: bytes) -> str:
    headers = {"Content-Type": "application/json", "Authorization": generic_token(where)}
    status, answer = post(where, "generic", body, headers)
    assert status == 200
    return str(answer["id"])


def client(where: Endpoints, service: Any) -> Any:
    return emulator.client(
        service,
        endpoint_url=where.aws_endpoint_url,
        region=where.region,
        credentials=where.credentials,
    )


def names(where: Endpoints, prefix: str) -> list[str]:
    listed = client(where, "s3").get_paginator("list_objects_v2")
    pages = listed.paginate(Bucket=where.archive_bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def wait_for_raw(running: Running, *ids: str) -> None:
    """Wait until the archiver has written these events."""
    words = [word for one in ids for word in ("--id", one)]
    end = time.monotonic() + SECONDS
    dry = ("replay", "--dry-run", "--kind", "raw")
    while mozdef(running, *dry, *words)["counts"]["matched"] < len(ids):
        assert time.monotonic() < end, "the archiver is behind"
        time.sleep(0.3)


def ticket_of(running: Running, identifier: str) -> dict[str, Any]:
    """The ticket with this event, with its events in it."""
    end = time.monotonic() + SECONDS
    while True:
        for ticket in reversed(mozdef(running, "dead-letters", "list")):
            shown: dict[str, Any] = mozdef(running, "dead-letters", "show", ticket["id"])
            if any(one.get("id", "").partition("@")[0] == identifier for one in shown["events"]):
                return shown
        assert time.monotonic() < end, f"no ticket for {identifier}"
        time.sleep(0.3)


def test_what_is_rejected_again_and_again_stops_at_the_limit(
    running: Running, where: Endpoints
) -> None:
    before = settled(running)
    identifier = send(where, b'{"broken": \x1b[31m')
    after = settled(running)
    assert after["rejected:invalid_json"] - before["rejected:invalid_json"] == 1
    for replays in range(3):
        ticket = ticket_of(running, identifier)
        assert ticket["kind"] == "rejected"
        assert ticket["sources"] == ["generic"]
        assert ticket["reasons"] == {"invalid_json": 1}
        (event,) = ticket["events"]
        assert event["replays"] == replays
        assert event["headers"] == ["content-type"]
        job = mozdef(running, "dead-letters", "replay", ticket["id"], "--wait", status=1)
        assert job["counts"]["sent"] == 1
        assert job["became"]["rejected_by_reason"] == {"invalid_json": 1}
        assert job["became"]["open"] == 0
        assert job["remaining"] == {}
        assert job["status"] == "done"
        counted = settled(running)
        assert counted["rejected:invalid_json"] - after["rejected:invalid_json"] == replays + 1
        tickets = mozdef(running, "dead-letters", "list")
        assert ticket["id"] not in {one["id"] for one in tickets}
    ticket = ticket_of(running, identifier)
    job = mozdef(running, "dead-letters", "replay", ticket["id"], status=1)
    assert job["counts"]["limit"] == 1
    assert "limit" in job["remaining"][ticket["id"]]
    state = ("--state", str(running.state))
    shown = command("dead-letters", "show", ticket["id"][:8], *state)
    assert "invalid_json" in shown
    assert "\x1b" not in shown
    assert ticket["id"] in command("dead-letters", "list", *state)
    why = command("dead-letters", "dismiss", ticket["id"], *state, status=2)
    assert "--reason" in why
    note = mozdef(running, "dead-letters", "dismiss", ticket["id"], "--reason", "a test")
    assert note["reason"] == "a test"
    assert note["who"]["user"]
    assert len(names(where, f"jobs/dismissed/{ticket['id']}.json")) == 1
    tickets = mozdef(running, "dead-letters", "list")
    assert ticket["id"] not in {one["id"] for one in tickets}


def forget_what_was_delivered(where: Endpoints) -> None:
    """Let every window pass: DynamoDB deletes the items of the deduplication table."""
    dynamodb = client(where, "dynamodb")
    pages = dynamodb.get_paginator("scan").paginate(TableName=where.dedupe_table)
    keys = [item["pk"] for page in pages for item in page["Items"]]
    assert keys
    for first in range(0, len(keys), 25):
        deletes = [{"DeleteRequest": {"Key": {"pk": key}}} for key in keys[first : first + 25]]
        answer = dynamodb.batch_write_item(RequestItems={where.dedupe_table: deletes})
        assert not answer["UnprocessedItems"]


def test_what_was_delivered_is_left_out_when_the_window_is_over_unless_forced(
    running: Running, where: Endpoints
) -> None:
    identifier = send(where, json.dumps({"replayed": time.time_ns()}).encode())
    before = settled(running)
    wait_for_raw(running, identifier)
    drain(where)
    forget_what_was_delivered(where)
    words = ("replay", "--kind", "raw", "--id", identifier)
    dry = mozdef(running, *words, "--dry-run")
    assert (dry["would_send"], dry["delivered_before"], dry["sent_again"]) == (0, 1, 0)
    forced = mozdef(running, *words, "--dry-run", "--force")
    assert (forced["would_send"], forced["delivered_before"], forced["sent_again"]) == (1, 0, 1)
    left_out = mozdef(running, *words)
    assert left_out["counts"].get("sent", 0) == 0
    assert left_out["before"] == {"delivered/generic": 1}
    assert settled(running) == before
    assert drain(where) == []
    shown = command("replay", "show", left_out["id"], "--state", str(running.state))
    assert "1 were delivered before" in " ".join(shown.split())
    job = mozdef(running, *words, "--force")
    assert job["counts"]["sent"] == 1
    assert settled(running) - before == Counter(Received=1, Delivered=1)
    (message,) = drain(where)
    assert "replayed" in message["details"]
    listed = {one["id"]: one for one in mozdef(running, "replay", "list")}
    assert listed[job["id"]]["status"] == "done"
    shown = command("replay", "show", job["id"], "--state", str(running.state))
    assert "raw/generic/-" in shown
    assert "done" in shown


def test_ctrl_c_and_going_on(running: Running, where: Endpoints) -> None:
    ids = [send(where, json.dumps({"n": n, "at": time.time_ns()}).encode()) for n in range(24)]
    before = settled(running)
    wait_for_raw(running, *ids)
    words = [word for one in ids for word in ("--id", one)]
    process = subprocess.Popen(
        [
            COMMAND,
            "replay",
            "--kind",
            "raw",
            *words,
            "--rate",
            "2",
            "--force",
            "--state",
            str(running.state),
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    end = time.monotonic() + SECONDS
    while totals(running)["Delivered"] - before["Delivered"] < 2:
        assert time.monotonic() < end
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    line = next(one for one in output.splitlines() if "mozdef-ef replay --resume" in one)
    job_id, *same = line.rpartition("--resume ")[2].split()
    assert same == ["--state", str(running.state)]  # as it was given
    assert mozdef(running, "replay", "show", job_id)["status"] == "interrupted"
    job = mozdef(running, "replay", "--resume", job_id, "--rate", "1000")
    assert job["counts"]["sent"] == 24
    assert settled(running) - before == Counter(Received=24, Delivered=24)
    again = command("replay", "--resume", job_id, "--state", str(running.state), status=2)
    assert "nothing to go on with" in again


def test_a_dry_run_sends_nothing(running: Running, where: Endpoints) -> None:
    identifier = send(where, b"not json")
    before = settled(running)
    words = ("replay", "--source", "generic", "--from", "10m", "--dry-run")
    report = mozdef(running, *words, "--event-type", "none", "--kind", "rejected", status=1)
    assert report["would_send"] == 0
    report = mozdef(running, *words)
    assert report["would_send"] >= 1
    assert any(group["reason"] == "invalid_json" for group in report["groups"])
    assert "not json" in command(
        "replay", "--id", identifier, "--kind", "rejected", "--dry-run", "--state",
        str(running.state),
    )  # fmt: skip
    assert settled(running) == before


def test_the_workflow_s_function_replays_with_the_permissions_of_its_role(
    running: Running, where: Endpoints, routed: Path, tmp_path: Path
) -> None:
    sent = send(where, b'{"title": "replayed by the workflow"}')
    send(where, b"not json")
    settled(running)
    wait_for_raw(running, sent)
    prefixes = ("raw/", "rejected/", "quarantine/", "aws/lambda/")
    keys = [key for prefix in prefixes for key in (*names(where, prefix), f"{prefix}none")]
    job = new_job_id(datetime.now(UTC))
    ids = JobStore(client(where, "s3"), where.archive_bucket).save_ids(job, [sent])
    shared = {"job": job, "filter": {"ids": ids}, "rate": 1000, "limit": 3, "force": False}
    environment = {"ARCHIVE_BUCKET": where.archive_bucket, "STREAM_NAME": where.stream}
    host = built_function(routed, where, "replay_worker", tmp_path, **environment)
    try:
        items = [{"Key": key, "Size": 1} for key in keys]
        done = host.invoke({"BatchInput": shared, "Items": items})
        assert done.function_error is None, done.payload
        assert done.payload["counts"]["matched"] == 1
        done = host.invoke({"BatchInput": {**shared, "filter": {}, "force": True}, "Items": items})
        assert done.payload["counts"]["sent"] >= 1
    finally:
        host.close()
    settled(running)
    recorded = RecordedCalls.of(running.state)
    assert recorded
    assert unexplained(reviews([recorded]), {"ReplayWorkerRole"}) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("replay",), "this would replay everything"),
        (("replay", "--kind", "raw"), "--all"),
        (("replay", "--from", "soon"), "is no time"),
        (("replay", "--reason", "bad"), "no such reason"),
        (("replay", "--all", "--kind", "raw", "--distributed"), "--stack"),
        (("replay", "--resume", "replay-20200101T000000-0000", "--source", "a"), "own filter"),
        (("replay", "--missing", "nowhere"), "cannot be read"),
        (("dead-letters", "replay"), "--all"),
        (("dead-letters", "dismiss", "ffffffffffff", "--reason", " "), "--reason"),
    ],
)
def test_a_wrong_use_is_one_clear_line(
    running: Running, words: tuple[str, ...], message: str
) -> None:
    output = command(*words, "--state", str(running.state), status=2)
    assert message in output
    assert "Traceback" not in output
    assert len(output.strip().splitlines()) == 1
