"""A polled source through the whole stack: from its API by the template's schedule to a queue."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from loadtests.deploy_check.permissions import RecordedCalls, reviews, unexplained
from local import emulator
from tests.e2e.conftest import Running, synthesized
from tests.e2e.test_local_pipeline import drain, settled
from tests.support.mozdef import assert_contract
from tests.support.taken_out import not_missed
from toolbox.demo.api import COPIES, EVENTS, PAGE, SystemLog
from toolbox.demo.source import POLLED as SOURCE
from toolbox.watching.local_watcher import LocalWatcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.endpoints import Endpoints

PAGES = EVENTS // PAGE


@pytest.fixture
def api() -> Iterator[SystemLog]:
    with SystemLog(port=0) as log:
        yield log


def checkpoint(where: Endpoints, table: str) -> dict[str, str]:
    dynamodb = emulator.client(
        "dynamodb",
        endpoint_url=where.aws_endpoint_url,
        region=where.region,
        credentials=where.credentials,
    )
    found = dynamodb.get_item(TableName=table, Key={"pk": {"S": f"{SOURCE}#logs"}})
    return {name: next(iter(value.values())) for name, value in found["Item"].items()}


def checkpoint_table(where: Endpoints) -> str:
    dynamodb = emulator.client(
        "dynamodb",
        endpoint_url=where.aws_endpoint_url,
        region=where.region,
        credentials=where.credentials,
    )
    (table,) = (name for name in dynamodb.list_tables()["TableNames"] if name != where.dedupe_table)
    return str(table)


def test_what_an_api_has_arrives_once(tmp_path: Path, api: SystemLog) -> None:
    options = synthesized(
        tmp_path, sources=[SOURCE, "generic"], pollers={SOURCE: {"base_url": api.base_url}}
    )
    first = Running(tmp_path / "state", *options)
    try:
        where = first.wait()
        counted = settled(first)
        assert counted["Received"] == api.served == EVENTS + COPIES
        assert counted["Delivered"] == EVENTS
        assert counted["Duplicate"] == COPIES
        # It went through all the pages, met a refusal, and has the key that it was given.
        assert api.answers == Counter(
            {"pages with events": PAGES, "empty pages": 1, "refused with 429": 1}
        )
        assert api.tokens == set(where.parameters[SOURCE].values())
        messages = drain(where)
        ids = {message["details"][SOURCE]["uuid"] for message in messages}
        assert len(ids) == len(messages) == EVENTS
        for message in messages:
            assert_contract(message)
        schedules = json.loads((first.state / "status.json").read_text())["schedules"]
        (rule,) = (each for name, each in schedules.items() if name.startswith("Poller"))
        assert (rule["runs"], rule["errors"]) == (1, 0)
        table = checkpoint_table(where)
        row = checkpoint(where, table)
        assert "owner" not in row
        (feed,) = LocalWatcher(first.state).look(time.time(), 5).feeds
        assert (feed.source, feed.feed, feed.why) == (SOURCE, "logs", "up to date")
        assert f"{PAGES}_page" in row["position"]
        assert f"POST {where.api}/generic" in first.output.read_text()
        assert f"polled: {SOURCE}" in first.output.read_text()
    finally:
        first.stop()

    recorded = RecordedCalls.of(first.state)
    assert recorded
    (review,) = reviews([recorded])
    assert unexplained([review], {"PollerRole"}) == []
    assert not_missed(review)[1] == []

    again = Running(tmp_path / "state", *options)
    try:
        again.wait()
        settled(again)
    finally:
        again.stop()
    # The second runtime goes on where the first one was: one more empty page, and nothing twice.
    assert api.served == EVENTS + COPIES
    assert api.answers == Counter(
        {"pages with events": PAGES, "empty pages": 2, "refused with 429": 1}
    )
