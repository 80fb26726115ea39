"""Fakes for what is behind the gateway: functions and a stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from botocore.exceptions import ClientError
from botocore.session import Session
from botocore.validate import validate_parameters

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


def aws_error(code: str, status: int = 400, message: str = "") -> ClientError:
    """Make the error that the SDK raises."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "PutRecord")


@cache
def _put_record() -> Any:
    model = Session().get_service_model("kinesis")
    return model.operation_model("PutRecord").input_shape


@dataclass
class FakeKinesis:
    """Refuses what the SDK does, keeps what was put; `fails` may give an error for the data."""

    fails: Callable[[bytes], Exception | None] = lambda _: None
    delay: float = 0.0
    calls: list[list[dict[str, Any]]] = field(default_factory=list)

    @property
    def data(self) -> list[bytes]:
        return [record["Data"] for call in self.calls for record in call]

    def _wait(self) -> None:
        if self.delay:
            time.sleep(self.delay)

    def put_record(self, **record: Any) -> dict[str, Any]:
        validate_parameters(record, _put_record())
        self._wait()
        self.calls.append([record])
        if error := self.fails(record["Data"]):
            raise error
        return {"ShardId": "shardId-000000000000", "SequenceNumber": f"n{record['Data']!r}"}
