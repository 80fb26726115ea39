"""Runs the template's Lambda functions, each in processes of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from local.function_host import FunctionHost
from local.lambdas import configure
from local.sandbox import WORKER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from local.credentials import RunCredentials
    from local.hooks import CallWatcher
    from local.invocation import Invocation
    from local.lambdas import FunctionConfig
    from local.template import Template


class Functions:
    """The functions of a template by logical id; each starts when it is first called.

    Parameters
    ----------
    assembly : Path
        The cloud assembly that holds the code assets.
    endpoint_url : str
        Where the functions' AWS clients go.
    credentials : RunCredentials
        What they sign with; in the environment, as on AWS.
    """

    def __init__(
        self,
        template: Template,
        assembly: Path,
        *,
        endpoint_url: str,
        credentials: RunCredentials,
        logs: Path,
        watch: CallWatcher | None = None,
        worker: Path = WORKER,
    ) -> None:
        self._watch = watch
        self._worker = worker
        self._template = template
        self._assembly = assembly
        self._endpoint_url = endpoint_url
        self._credentials = credentials
        self._logs = logs
        self._lock = threading.Lock()
        self._hosts: dict[str, FunctionHost] = {}
        #: Of former templates, with calls in progress.
        self._left: list[FunctionHost] = []

    def host(self, logical_id: str) -> FunctionHost:
        """Return the host of one function.

        Raises
        ------
        TemplateError
            When the template has no such function, or it cannot run here.
        """
        with self._lock:
            if logical_id not in self._hosts:
                self._hosts[logical_id] = self._new_host(self._config(self._template, logical_id))
            return self._hosts[logical_id]

    def prepare(
        self, template: Template, at_once: Collection[str], later: Iterable[str] = ()
    ) -> dict[str, FunctionHost]:
        """Start what another template changes, beside what runs; nothing is called yet.

        Parameters
        ----------
        at_once : Collection[str]
            Functions that are waited for, where they run already and are another then.
        later : Iterable[str]
            Others that must be in it.

        Returns
        -------
        dict[str, FunctionHost]
            The hosts of the functions that are another then, for `take`.

        Raises
        ------
        TemplateError, FunctionUnavailableError
            When one of them cannot run; all goes on as it was.
        """
        for logical_id in (*at_once, *later):
            self._config(template, logical_id)
        changed = {}
        for logical_id, host in list(self._hosts.items()):
            if logical_id not in template.document["Resources"]:
                continue
            config = self._config(template, logical_id)
            if config != host.config:
                changed[logical_id] = self._new_host(config)
        waited_for = [host for logical_id, host in changed.items() if logical_id in at_once]
        try:
            for host in waited_for:
                host.warm()
            for host in waited_for:
                host.wait_until_ready()
        except BaseException:
            for host in changed.values():
                host.close()
            raise
        return changed

    def take(self, template: Template, changed: Mapping[str, FunctionHost]) -> None:
        """Go over to another template; calls in progress end in the processes that have them."""
        with self._lock:
            before, self._template = self._hosts, template
            self._hosts = {
                logical_id: changed.get(logical_id, host)
                for logical_id, host in before.items()
                if logical_id in changed or self._is_same(host)
            }
            left = [host for host in before.values() if host not in self._hosts.values()]
            self._left = [*(host for host in self._left if host.pids()), *left]
        for host in left:
            host.retire()

    def caller(self, logical_id: str) -> Callable[..., Invocation]:
        """Return what calls a function as it is at the time of the call."""

        def invoke(event: Any, *, request_id: str | None = None) -> Invocation:
            return self.host(logical_id).invoke(event, request_id=request_id)

        return invoke

    async def invoke(self, logical_id: str, event: Mapping[str, Any]) -> Invocation:
        """Call a function by its logical id: what the gateway does."""
        return await self.host(logical_id).invoke_async(event)

    def pids(self) -> list[int]:
        """Return the ids of all processes."""
        return [pid for host in self._every() for pid in host.pids()]

    def close(self) -> None:
        """End every process of every function."""
        for host in self._every():
            host.close()

    def _every(self) -> list[FunctionHost]:
        with self._lock:
            return [*self._hosts.values(), *self._left]

    def _is_same(self, host: FunctionHost) -> bool:
        if host.config.logical_id not in self._template.document["Resources"]:
            return False
        return self._config(self._template, host.config.logical_id) == host.config

    def _new_host(self, config: FunctionConfig) -> FunctionHost:
        return FunctionHost(config, watch=self._watch, worker=self._worker)

    def _config(self, template: Template, logical_id: str) -> FunctionConfig:
        self._logs.mkdir(parents=True, exist_ok=True)
        return configure(
            template,
            logical_id,
            assembly=self._assembly,
            endpoint_url=self._endpoint_url,
            credentials=self._credentials,
            logs=self._logs,
        )
