"""The page that accounts for a span, over an archive with one event of each fate."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.archive.keys import hour_folder, object_name
from tests.support.console import entered, made_scene
from tests.support.replay import ARRIVED, FakeArchive, line
from toolbox.console.audit import data

if TYPE_CHECKING:
    from starlette.testclient import TestClient

HOUR = hour_folder(datetime.fromisoformat(ARRIVED).timestamp())
DAY = ARRIVED[:10]
SPAN = {"from": f"{DAY}T00:00Z", "to": f"{DAY}T23:59Z", "source": "", "grace": "900"}
HOSTILE = '"><script>alert(1)</script>'
SHARD = object_name("shardId-000000000000", "1")


class NoTable:
    """A deduplication table that remembers nothing."""

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        return {"Responses": {}, "UnprocessedKeys": {}}

    def batch_get_items(self, calls: Any) -> list[Any]:
        return [self.batch_get_item(**one) for one in calls]


def _entry(number: int, outcome: str, **more: Any) -> dict[str, Any]:
    raw = line(number)
    kept = ("id", "source", "shard_id", "sequence_number", "arrived")
    return {**{key: raw[key] for key in kept}, "outcome": outcome, "reason": None, **more}


@pytest.fixture(scope="module")
def client() -> TestClient:
    archive = FakeArchive()
    lost = line(2, name=f"lost{HOSTILE}")
    archive.add(f"raw/source=github/{HOUR}{SHARD}", [line(1), lost, line(3)])
    refused = _entry(3, "rejected", reason="schema_violation")
    archive.add(f"ledger/{HOUR}{SHARD}", [_entry(1, "delivered"), refused])
    return entered(made_scene({"s3": archive, "dynamodb": NoTable()}))


def test_nothing_is_read_before_a_span_is_asked_for(client: TestClient) -> None:
    page = client.get("/audit")
    assert page.status_code == 200
    assert "Verdict" not in page.text
    assert "AWS was asked 0 of" in page.text


def test_a_span_is_accounted_for_by_source_and_by_name(client: TestClient) -> None:
    page = client.get("/audit", params=SPAN)
    assert page.status_code == 200, page.text
    assert "NOT accounted for" in page.text
    assert "audit --from" in page.text
    row = re.search(r'<th scope="row">github</th>(.*?)</tr>', page.text)
    assert row is not None
    assert re.findall(r"<td[^>]*>(\d+)", row[1]) == ["3", "1", "0", "1", "0", "0", "0", "1"]
    assert HOSTILE not in page.text
    assert 'href="/events/lost%22%3E%3Cscript%3E' in page.text


def test_the_twin_is_what_the_command_prints(client: TestClient) -> None:
    found = client.get("/audit.json", params=SPAN).json()
    assert (found["received"], found["delivered"], found["missing"]) == (3, 1, 1)
    assert found["verdict"]["left_open"] == {"missing": 1, "schema_violation": 1}


def test_both_exports_stand_by_themselves(client: TestClient) -> None:
    page = client.get("/audit/report.html", params=SPAN)
    assert page.headers["content-disposition"].startswith('attachment; filename="audit-')
    assert "NOT accounted for" in page.text
    assert HOSTILE not in page.text
    assert not re.search(r"<(script|link|img)|\ssrc=|\shref=", page.text)
    document = client.get("/audit/report.json", params=SPAN)
    assert document.headers["content-disposition"].endswith('.json"')
    assert json.loads(document.text) == client.get("/audit.json", params=SPAN).json()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"from": "yesterday"}, "is no time"),
        ({"from": "1h", "to": "2h"}, "must lie before"),
        ({"from": "2001-01-01", "to": "2003-01-01"}, "a year at most"),
        ({"grace": "-1"}, "are no seconds"),
        ({"source": "nobody"}, "no such source"),
    ],
)
def test_what_cannot_be_audited_is_told(
    client: TestClient, changed: dict[str, str], told: str
) -> None:
    page = client.get("/audit", params={**SPAN, **changed})
    assert page.status_code in {400, 404}
    assert told in page.text


def test_more_than_a_page_may_read_is_left_to_the_command(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "MOST_OBJECTS", 1)
    hour = {"from": f"{DAY}T20:00Z", "to": f"{DAY}T21:00Z"}
    page = client.get("/audit", params={**SPAN, **hour})
    assert page.status_code == 400
    assert "more than a page reads" in page.text
