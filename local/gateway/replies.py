"""What goes back: to the sender, and from a backend."""

from __future__ import annotations

from dataclasses import dataclass

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the sender.

    Parameters
    ----------
    response_type : str
        The type of gateway response where the gateway itself refused, else "".
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", JSON),)
    response_type: str = ""


@dataclass(frozen=True, slots=True)
class BackendAnswer:
    """The answer of an integration's backend."""

    status: int
    body: bytes
