"""Fakes for what is behind the gateway: functions and a stream."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.gateway.replies import BackendAnswer
from local.gateway.services import error_answer
from local.invocation import Invocation


@dataclass
class FakeFunction:
    """Stands in for every function: keeps the events, answers with one payload."""

    payload: Any = None
    error: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, function: str, event: Mapping[str, Any]) -> Invocation:
        self.events.append({"function": function, **event})
        await asyncio.sleep(0)
        payload = self.payload(event) if callable(self.payload) else self.payload
        return Invocation(payload, self.error)


def aws_error(code: str, status: int = 400, message: str = "") -> BackendAnswer:
    """Make the answer of Kinesis for an error."""
    return error_answer(status, code, message)


@dataclass
class FakeKinesis:
    """Keeps what was put, its data decoded; `fails` may give another answer for the data."""

    fails: Callable[[bytes], BackendAnswer | None] = lambda _: None
    delay: float = 0.0
    calls: list[list[dict[str, Any]]] = field(default_factory=list)

    @property
    def data(self) -> list[bytes]:
        return [record["Data"] for call in self.calls for record in call]

    async def put_record(self, given: Mapping[str, Any], /) -> BackendAnswer:
        await asyncio.sleep(self.delay)
        record = {**given, "Data": base64.b64decode(given["Data"], validate=True)}
        self.calls.append([record])
        placed = {"ShardId": "shardId-000000000000", "SequenceNumber": f"n{record['Data']!r}"}
        return self.fails(record["Data"]) or BackendAnswer(200, json.dumps(placed).encode())
