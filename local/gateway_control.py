"""Starts the gateway's process and asks whether it answers."""

from __future__ import annotations

import http.client
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from local.credentials import RunCredentials
from local.processes import HOST, Child

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from pathlib import Path


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


def start_gateway(listener: socket.socket, logs: Path) -> Child:
    """Start the process; the listening socket is its own from then on.

    It loads its modules, which takes as long as to start the emulator, and then waits for a
    `GatewayConfig` as a line.
    """
    with listener:
        return Child(
            "the API gateway",
            "local.gateway_process",
            arguments=[str(listener.fileno())],
            log=logs / "gateway.log",
            inherited=[listener.fileno()],
        )


def answers(port: int) -> bool:
    """Ask for a route that cannot be there: any answer will do."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
