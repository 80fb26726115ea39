"""Starts the gateway's process, and tells it what to serve."""

from __future__ import annotations

import json
import os
import select
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from local.credentials import RunCredentials
from local.processes import NO_CERTIFICATES, Child
from local.template import TemplateError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from pathlib import Path

_ANSWER_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_READ_BYTES = 65_536


@dataclass(frozen=True)
class GatewayConfig:
    """What the gateway's process needs to know; told on its standard input."""

    assembly: str
    stack: str
    region: str
    endpoint_url: str
    credentials: RunCredentials
    logs: str
    physical_ids: Mapping[str, str]
    #: Routes and authorizers that may not invoke their function: ARN, and why.
    refused: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> GatewayConfig:
        """Read what `to_json` gives."""
        document = json.loads(text)
        return cls(**{**document, "credentials": RunCredentials(**document["credentials"])})


class GatewayProcess:
    """The gateway's process; the listening socket is its own.

    It loads its modules, which takes as long as to start the emulator, and serves what it is told.
    """

    def __init__(self, listener: socket.socket, logs: Path) -> None:
        ours, theirs = os.pipe()
        self._answers = os.fdopen(ours, "rb", buffering=0)
        with listener:
            self._child = Child(
                "the API gateway",
                "local.gateway_process",
                arguments=[str(listener.fileno()), str(theirs)],
                environment=NO_CERTIFICATES,
                log=logs / "gateway.log",
                inherited=[listener.fileno(), theirs],
            )
        os.close(theirs)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._child.pid

    def prepare(self, config: GatewayConfig) -> None:
        """Have it read an API, and serve it from `commit` on; until then it serves the former.

        Raises
        ------
        TemplateError
            When it is one that cannot be served.
        ProcessFailedError
            When the process has ended.
        """
        self._tell(config.to_json())

    def commit(self) -> None:
        """Have it serve what was prepared. No connection ends for that."""
        self._tell("")

    def check(self) -> None:
        """Make sure that the process runs; ProcessFailedError otherwise."""
        self._child.check()

    def stop(self) -> None:
        """End the process."""
        self._child.stop()
        self._answers.close()

    def _tell(self, line: str) -> None:
        self._child.tell(line)
        answer = bytearray()

        def answered() -> bool:
            if select.select([self._answers], [], [], _LOOK_SECONDS)[0]:
                answer.extend(self._answers.read(_READ_BYTES))
            return answer.endswith(b"\n")

        self._child.wait_for(answered, seconds=_ANSWER_SECONDS)
        if fault := json.loads(answer):
            raise TemplateError(fault)
