"""Runs one Lambda function in processes of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from local.invocation import Invocation
from local.sandbox import (
    WORKER,
    Sandbox,
    SandboxExitedError,
    SandboxMemoryError,
    SandboxStartError,
    SandboxTimeoutError,
)
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.hooks import CallWatcher
    from local.lambdas import FunctionConfig

# What Lambda takes and gives in a synchronous invocation.
PAYLOAD_BYTES = 6 * 1024 * 1024
_log = logging.getLogger(__name__)


class FunctionUnavailableError(PipelineError):
    """The function could not be called: no handler ran."""


def refusing(why: str) -> Callable[[Any], Invocation]:
    """Return what stands for a function that may not be called, and says so at each call."""

    def invoke(_: Any) -> Invocation:
        raise FunctionUnavailableError(why)

    return invoke


class FunctionHost:
    """Keeps processes of one function and calls them. Threads may share it.

    Parameters
    ----------
    limit : int
        How many processes may run at once; another caller waits. They are started when needed.
    """

    def __init__(
        self,
        config: FunctionConfig,
        *,
        limit: int = 8,
        watch: CallWatcher | None = None,
        worker: Path = WORKER,
    ) -> None:
        self.config = config
        self._worker = worker
        self._watch = watch
        self._free = threading.Semaphore(limit)
        self._lock = threading.Lock()
        self._idle: list[Sandbox] = []
        self._all: set[Sandbox] = set()
        self._closed = self._retired = False

    def warm(self, count: int = 1) -> None:
        """Start processes ahead of the first call, without waiting for them."""
        for _ in range(count):
            sandbox = self._start()
            with self._lock:
                self._idle.append(sandbox)

    def invoke(self, event: Any, *, request_id: str | None = None) -> Invocation:
        """Call the function and wait for its answer.

        Raises
        ------
        FunctionUnavailableError
            When the handler was not called: the event is too large, or the host is closed.
        """
        body = orjson.dumps(event)
        if len(body) > PAYLOAD_BYTES:
            message = f"{len(body)} bytes of event; Lambda takes {PAYLOAD_BYTES}"
            raise FunctionUnavailableError(f"{self.config.name}: {message}")
        with self._free:
            sandbox = self._take()
            head = {"request_id": request_id or str(uuid.uuid4()), "arn": self.config.arn}
            ready = partial(self._watch.before, self.config.handler, event) if self._watch else None
            outcome = self._call(sandbox, head, body, ready)
            if self._watch:
                self._watch.after(self.config.handler, event, outcome)
            self._give_back(sandbox)
        return outcome

    def wait_until_ready(self) -> None:
        """Wait until a process has loaded the handler.

        Raises
        ------
        FunctionUnavailableError
            When it cannot be loaded.
        """
        sandbox = self._take()
        try:
            sandbox.wait_until_ready()
        except (SandboxStartError, SandboxExitedError, SandboxTimeoutError) as error:
            raise FunctionUnavailableError(f"{self.config.name}: {error}") from error
        finally:
            self._give_back(sandbox)

    async def invoke_async(self, event: Any, *, request_id: str | None = None) -> Invocation:
        """Call the function without holding the event loop."""
        return await asyncio.to_thread(self.invoke, event, request_id=request_id)

    def pids(self) -> list[int]:
        """Return the ids of the function's processes."""
        with self._lock:
            return [sandbox.pid for sandbox in self._all if sandbox.alive]

    def retire(self) -> None:
        """End each process once its call is over: another host has taken this one's place."""
        with self._lock:
            self._retired = True
            idle, self._idle = self._idle, []
            self._all -= set(idle)
        for sandbox in idle:
            sandbox.kill()

    def close(self) -> None:
        """End every process; a call in progress fails."""
        with self._lock:
            self._closed = True
            running, self._all, self._idle = self._all, set(), []
        for sandbox in running:
            sandbox.kill()

    def _take(self) -> Sandbox:
        with self._lock:
            while self._idle:
                sandbox = self._idle.pop()
                if sandbox.alive:
                    return sandbox
                self._all.discard(sandbox)
        return self._start()

    def _start(self) -> Sandbox:
        with self._lock:
            self._refuse_if_closed()
            config = self.config
            try:
                sandbox = Sandbox(
                    config.handler,
                    config.code,
                    config.environment,
                    config.log,
                    config.memory_mib,
                    worker=self._worker,
                )
            except OSError as error:
                raise FunctionUnavailableError(f"{config.name}: cannot start: {error}") from error
            self._all.add(sandbox)
        return sandbox

    def _give_back(self, sandbox: Sandbox) -> None:
        with self._lock:
            if sandbox.alive and not self._closed and not self._retired:
                self._idle.append(sandbox)
                return
            self._all.discard(sandbox)
        if self._retired:
            sandbox.kill()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise FunctionUnavailableError(f"{self.config.name}: the runtime is stopping")

    def _call(
        self,
        sandbox: Sandbox,
        head: dict[str, Any],
        body: bytes,
        on_ready: Callable[[int], None] | None = None,
    ) -> Invocation:
        prefix = f"RequestId: {head['request_id']} Error:"
        try:
            sandbox.wait_until_ready()
            if on_ready:
                on_ready(sandbox.pid)
            good, payload = sandbox.invoke(head, body, self.config.timeout)
        except SandboxStartError as error:
            return Invocation(error.payload, "Unhandled")
        except SandboxTimeoutError:
            seconds = f"{self.config.timeout:.2f}"
            return self._failed(
                "Sandbox.Timedout", f"{prefix} Task timed out after {seconds} seconds"
            )
        except SandboxMemoryError as error:
            memory = f"{prefix} Runtime exited with error: {error}"
            return self._failed("Runtime.OutOfMemory", memory)
        except SandboxExitedError as error:
            with self._lock:
                self._refuse_if_closed()
            return self._failed("Runtime.ExitError", f"{prefix} Runtime exited with error: {error}")
        if len(payload) > PAYLOAD_BYTES:
            message = f"Response payload size ({len(payload)} bytes) exceeded {PAYLOAD_BYTES} bytes"
            return self._failed("Function.ResponseSizeTooLarge", message)
        return Invocation(json.loads(payload), None if good else "Unhandled")

    def _failed(self, kind: str, message: str) -> Invocation:
        _log.warning("%s: %s: %s", self.config.name, kind, message)
        with self.config.log.open("a") as log:
            log.write(f"[ERROR] {kind}: {message}\n")
        return Invocation({"errorType": kind, "errorMessage": message}, "Unhandled")
