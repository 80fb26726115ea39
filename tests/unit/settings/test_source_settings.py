"""Settings that the built-in sources do not use: splitting, paths, queues by type, shapes."""

from __future__ import annotations

import itertools
import json
import sys
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml

from pipeline.event.compiled_source import load_catalog
from pipeline.event.envelope import Envelope, encode_envelope
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import load_source
from tests.support.bench import NOW_MS, Bench, record, tally
from tests.support.mozdef import assert_contract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_numbers = itertools.count()
SETTINGS: dict[str, Any] = {
    "version": 1,
    "title": "A sender of batches",
    "authentication": {"type": "token"},
    "headers": {"keep": ["X-Request", "X-Tenant"]},
}


@pytest.fixture
def bench_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bench]:
    def make(files: dict[str, Any] | None = None, **settings: Any) -> Bench:
        folder = tmp_path / "batches"
        folder.mkdir()
        (folder / "source.yaml").write_text(yaml.safe_dump(SETTINGS | settings))
        for name, schema in (files or {}).items():
            (folder / name).write_text(json.dumps(schema))
        package = f"catalog_of_test_{next(_numbers)}"
        write_compiled_catalog({"batches": load_source(folder)}, tmp_path, package)
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        return Bench(load_catalog(package))

    return make


def request(body: Any, headers: dict[str, str] | None = None, request_id: str = "r") -> bytes:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return encode_envelope(
        Envelope(request_id, NOW_MS, "batches", "192.0.2.1", raw, "", headers or {})
    )


def test_one_request_with_many_events(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(
        {"event.json": {"required": ["uuid"]}},
        split={"path": "data.events"},
        delivery_id={"path": "uuid"},
        event_type={"path": "kind"},
        schemas={"default": "event.json"},
        mozdef={"summary": "{source} {type} {uuid}"},
    )
    events = [
        {"uuid": "a", "kind": "x"},
        {"kind": "y"},
        {"uuid": "b"},
        {"uuid": "a", "kind": "x"},
        7,
    ]
    settlement = bench.run(record(request({"data": {"events": events}})))
    assert tally(settlement.outcomes) == {"delivered": 2, "duplicate": 1, "schema_violation": 2}
    messages = bench.sqs.bodies()
    assert [message["summary"] for message in messages] == ["batches x a", "batches b"]
    for message in messages:
        assert_contract(message)
    assert sorted(bench.dynamodb.items) == ["batches#a", "batches#b"]
    assert {line["id"] for line in bench.s3.lines("ledger/")} == {f"r#{n}" for n in range(5)}


def test_the_body_itself_can_be_the_list(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(split={"path": "."})
    twice = [{"a": 1}, {"a": 2}, {"a": 1}]
    # A request that lists the same twice means two events; one that comes again means none.
    assert tally(bench.run(record(request(twice))).outcomes) == {"delivered": 3}
    assert tally(bench.run(record(request(twice, request_id="q"))).outcomes) == {"duplicate": 3}


@pytest.mark.parametrize("body", [{}, {"data": {"events": []}}, {"data": {"events": {}}}, [], 1])
def test_a_request_without_events_is_visible(bench_of: Callable[..., Bench], body: Any) -> None:
    bench = bench_of(split={"path": "data.events"})
    assert tally(bench.run(record(request(body))).outcomes) == {"schema_violation": 1}


def test_a_request_id_in_a_header_tells_its_events_apart_by_place(
    bench_of: Callable[..., Bench],
) -> None:
    bench = bench_of(split={"path": "."}, delivery_id={"header": "X-Request"})
    one = request([{"same": 1}, {"same": 1}], {"x-request": "q"})
    again = request([{"same": 1}, {"same": 1}], {"x-request": "q"}, "r2")
    assert tally(bench.run(record(one), record(again)).outcomes) == {
        "delivered": 2,
        "duplicate": 2,
    }


@pytest.mark.parametrize("depth", [255, 400, 1_100, 100_000])
def test_how_deep_an_element_is_nested_is_its_own_affair(
    bench_of: Callable[..., Bench], depth: int
) -> None:
    bench = bench_of(split={"path": "."})
    deep = b'[{"a":1},{"b":' + b"[" * depth + b"]" * depth + b'},{"c":1}]'
    ends = tally(bench.run(record(request(deep))).outcomes)
    assert ends == ({"delivered": 3} if depth < 900 else {"delivered": 2, "too_deep": 1})


def test_queues_by_type_and_unknown_types(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(
        {"any.json": {}},
        event_type={"path": "kind"},
        schemas={"types": {"login": "any.json", "alert": "any.json"}, "unknown_types": "reject"},
        queue={"name": "people", "by_type": {"alert": "alerts"}},
        mozdef={"severity_by_type": {"alert": "CRITICAL"}},
    )
    kinds = ["login", "alert", "new", None]
    assert tally(bench.run(*(record(request({"kind": kind})) for kind in kinds)).outcomes) == {
        "delivered": 2,
        "schema_violation": 2,
    }
    severities = {
        url.rpartition("/")[2]: [orjson.loads(text)["severity"] for text in texts]
        for url, texts in bench.sqs.messages.items()
    }
    assert severities == {"people": ["INFO"], "alerts": ["CRITICAL"]}


def test_mozdef_settings(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(
        delivery_id={"path": "id"},
        mozdef={
            "category": "audit",
            "processname": "batcher",
            "hostname": "host.example.com",
            "source": "webhook",
            "tags": ["one", "two"],
            "severity": "NOTICE",
            "summary": "{who.name} did {what}",
            "timestamp": "at",
            "details": {
                "tenant": "$header.X-Tenant",
                "who": "who",
                "none": "nothing.here",
                "id": "$delivery_id",
                "all": "$body",
            },
        },
    )
    body = {"id": "i-1", "at": "2026-11-23T21:00:00+01:00", "who": {"name": "Ü"}, "what": "it"}
    bench.run(record(request(body, {"x-tenant": "t"})))
    (message,) = bench.sqs.bodies()
    assert_contract(message)
    assert message == {
        "category": "audit",
        "processname": "batcher",
        "hostname": "host.example.com",
        "source": "webhook",
        "processid": "0",
        "tags": ["one", "two"],
        "severity": "NOTICE",
        "summary": "Ü did it",
        "timestamp": "2026-11-23T21:00:00.000+01:00",
        "utctimestamp": "2026-11-23T20:00:00.000+00:00",
        "details": {
            "tenant": "t",
            "who": {"name": "Ü"},
            "none": None,
            "id": "i-1",
            "all": body,
        },
    }


def test_a_long_delivery_id_is_hashed(bench_of: Callable[..., Bench]) -> None:
    bench = bench_of(delivery_id={"path": "id"})
    ids = ["x" * 5000, "x" * 5001, "x" * 5000]
    outcomes = bench.run(*(record(request({"id": one})) for one in ids)).outcomes
    assert tally(outcomes) == {"delivered": 2, "duplicate": 1}
