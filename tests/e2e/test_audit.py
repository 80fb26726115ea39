"""The audit of a running pipeline: what is gone from the ledger is found, and can be sent again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local import emulator
from tests.e2e.conftest import Running, options_of
from tests.e2e.test_local_pipeline import command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.endpoints import Endpoints


@pytest.fixture(scope="module")
def own(
    routed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, Endpoints]]:
    """A pipeline of this module's own: its archive is damaged on purpose."""
    runtime = Running(tmp_path_factory.mktemp("audit") / "state", *options_of(routed))
    try:
        yield runtime, runtime.wait()
    finally:
        runtime.stop()


def audit(running: Running, *words: str, status: int = 0) -> Any:
    running.settle()
    text = command("audit", "--json", "--grace", "0", "--state", str(running.state), *words,
                   status=status)  # fmt: skip
    return json.loads(text)


def send(running: Running, *words: str) -> None:
    command("send", *words, "--state", str(running.state), "--json")
    running.settle()


def test_audit_finds_what_the_ledger_lost_and_replay_sends_it_again(
    own: tuple[Running, Endpoints],
) -> None:
    running, where = own
    send(running, "github", "--count", "30", "--corrupt-every", "10", "--duplicate-every", "7")
    clean = audit(running)
    assert clean["received"] == 30
    assert (clean["delivered"], clean["duplicate"], clean["rejected"]) == (23, 4, 3)
    assert clean["missing"] == clean["pending"] == clean["failed"] == clean["unarchived"] == 0

    s3 = emulator.client(
        "s3",
        endpoint_url=where.aws_endpoint_url,
        region=where.region,
        credentials=where.credentials,
    )
    listed = s3.list_objects_v2(Bucket=where.archive_bucket, Prefix="ledger/")["Contents"]
    for item in listed:
        s3.delete_object(Bucket=where.archive_bucket, Key=item["Key"])
    # Each shard's ledger goes on, so it has passed what was deleted from it.
    send(running, "generic", "--count", "60")
    file = running.state / "missing.jsonl"
    damaged = audit(running, "--missing-to", str(file), status=1)
    assert damaged["received"] == 90
    # What was delivered is still known to the deduplication table; copies and forgeries are not.
    assert damaged["delivered"] == 23 + 60
    assert damaged["missing"] == 7
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len({line["id"] for line in lines}) == 7
    assert {line["source"] for line in lines} == {"github"}

    command("replay", "--missing", str(file), "--state", str(running.state))
    again = audit(running, status=1)
    assert again["replays"] == 7
    assert again["recovered"] == 4, "the copies; the forgeries are forgeries still"
    assert again["duplicate"] == 4
    assert again["rejected_by_reason"] == {"bad_signature": 3}


def test_an_empty_span_is_clean(own: tuple[Running, Endpoints]) -> None:
    running, _ = own
    report = audit(running, "--from", "2020-01-01", "--to", "2020-01-02")
    assert report["received"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--from", "yesterday"), "is no time"),
        (("--from", "1h", "--to", "2h"), "must lie before --to"),
    ],
)
def test_wrong_use_is_said(
    own: tuple[Running, Endpoints], words: tuple[str, ...], message: str
) -> None:
    output = command("audit", *words, "--state", str(own[0].state), status=2)
    assert message in output
    assert "Traceback" not in output
