"""Keeps Python's garbage collector out of a batch."""

from __future__ import annotations

import gc
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


def without_collection(handler: Callable[P, T]) -> Callable[P, T]:
    """Let a handler run without the collector, which goes on when the batch is done.

    The parsed bodies of a batch are some hundred thousand objects that live until its end. The
    collector walks through them again and again and frees nothing: reference counts do that. It
    took an eighth of the fan-out's time (docs/performance.md).
    """

    @wraps(handler)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        gc.disable()
        try:
            return handler(*args, **kwargs)
        finally:
            gc.enable()

    return run
