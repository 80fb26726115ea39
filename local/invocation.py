"""How the local runtime asks for a run of a Lambda function, and what it gets back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Invocation:
    """What one run of a function gave.

    Parameters
    ----------
    payload : Any
        What the handler returned, after the way through JSON; for a function error the error
        object that Lambda answers with (`errorMessage`, `errorType`, `stackTrace`).
    function_error : str | None
        None where the handler returned, else what Lambda puts in `X-Amz-Function-Error`
        ("Unhandled").
    """

    payload: Any
    function_error: str | None = None


#: Runs a function: its logical id in the template, and the event.
InvokeFunction: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[Invocation]]
