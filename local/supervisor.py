"""Runs a synthesized stack on this machine: starts its parts in order, and ends them in order."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING, Any, Self

from local.assembly import find_template
from local.changes import Changes
from local.data_changes import DataWouldBeLostError
from local.emulator import Emulator, clients
from local.endpoints import FILE_NAME
from local.files import write_atomically
from local.functions import Functions, refusing
from local.gateway_control import GatewayConfig, answers, start_gateway
from local.hooks import Hooks
from local.iam.calls import CALLS_FILE, MODEL_FILE
from local.iam.mode import IamMode
from local.lambdas import role_of
from local.mapping.event_source import EventSourceMapping
from local.mapping.group import Mappings
from local.mapping.settings import read_mappings
from local.monitor import Monitor
from local.outputs import describe, sources
from local.processes import HOST, listen
from local.progress import Progress
from local.provision import create_secrets, provision
from local.schedule_settings import read_schedules
from local.schedules import Schedule, Schedules
from local.state import StateDirectory
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.endpoints import Endpoints
    from local.processes import Child
    from local.template import Template

_START_SECONDS = 60.0
_CHECK_SECONDS = 0.2
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LocalRuntime:
    """The pipeline of a cloud assembly, running here. A context manager; see `endpoints`.

    What the emulator holds and how far the mappings have come is kept in the state directory, also
    when this process is killed. The next runtime goes on from there, also with a changed template.

    Parameters
    ----------
    assembly : Path
        The cloud assembly.
    state : Path
        The directory for state, logs and `endpoints.json`.
    port : int | None
        The API's port; a free one for None.
    stack : str, optional
        The stack's name; needed where several stacks of the assembly have an API.
    iam : IamMode
        Whether the calls of its parts are written down, and held to the template's policies.
    may_discard : Callable[[DataWouldBeLostError], bool]
        Asked at the start, where the template needs a stream, queue, table or bucket of another
        form than the one that is kept: whether to begin with nothing. By default it is not begun.
    """

    def __init__(
        self,
        assembly: Path,
        *,
        state: Path,
        port: int | None,
        region: str = "us-west-2",
        stack: str | None = None,
        hooks: Hooks | None = None,
        iam: IamMode = IamMode.OFF,
        may_discard: Callable[[DataWouldBeLostError], bool] = lambda _: False,
    ) -> None:
        self._assembly = assembly.resolve()
        self._state = StateDirectory(state.resolve())
        self._port = port
        self._region = region
        self._stack = stack
        self._hooks = hooks or Hooks()
        self._services = ""  # where the parts find the emulator
        self._parts = contextlib.ExitStack()
        self._iam = iam
        self._may_discard = may_discard
        self._refused: dict[str, str] = {}
        own = Emulator(self._state.path, region=region, iam=iam)
        self._emulator = self._hooks.emulator or own
        self._functions: Functions | None = None
        self._gateway: Child | None = None
        self._mappings = Mappings()
        self._schedules = Schedules()
        self._changes = Changes()
        self._progress = Progress(self._mappings, self._schedules, self._changes)
        self._monitor = Monitor(self._state.status, self.check, self.status, self._changes)
        self._endpoints: Endpoints | None = None
        self.resumed = False

    @property
    def endpoints(self) -> Endpoints:
        """Where everything is; only while it runs."""
        if self._endpoints is None:
            raise PipelineError("the local pipeline does not run")
        return self._endpoints

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything, and write `endpoints.json` once all of it answers.

        Raises
        ------
        PipelineError
            When something cannot start; nothing is left running then.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything: first what takes events in, last what keeps them."""
        self._endpoints = None
        self._parts.close()

    def check(self) -> None:
        """Make sure that every part runs.

        Raises
        ------
        PipelineError
            When one has failed.
        """
        self._emulator.check()
        if self._gateway:
            self._gateway.check()
        self._progress.check()

    def status(self) -> dict[str, Any]:
        """Return how far mappings and schedules are; also in `status.json`, when it changes.

        It is not idle before each schedule has run once.
        """
        return self._progress.status()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until all that is on the streams by now is settled; False when it takes longer."""
        return self._progress.wait_until_idle(seconds)

    def pids(self) -> list[int]:
        """Return the ids of the processes that this one started."""
        gateway = [self._gateway.pid] if self._gateway else []
        functions = self._functions.pids() if self._functions else []
        return [self._emulator.pid, *gateway, *functions]

    def run_until_stopped(
        self, on_ready: Callable[[Endpoints], None], on_stop: Callable[[], None] = lambda: None
    ) -> None:
        """Run until this process is interrupted or terminated. Only in the main thread.

        Parameters
        ----------
        on_stop : Callable[[], None]
            Called when it begins to end: what is in flight is finished, which can take seconds.

        Raises
        ------
        PipelineError
            When something cannot start, or ends by itself.
        SystemExit
            When it is stopped before it runs, with the status that a shell gives the signal.
        """
        # Plain flags: what a handler locks, as an event does, the main thread may hold.
        ready = stopped = False

        def on_signal(number: int, _: object) -> None:
            nonlocal stopped
            stopped = True
            if not ready:
                raise SystemExit(128 + number)

        before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
        try:
            with self:
                ready = True
                on_ready(self.endpoints)
                while not stopped:
                    self._monitor.raise_failure()
                    time.sleep(_CHECK_SECONDS)
                on_stop()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start(self) -> None:
        parts = self._parts
        listener = parts.enter_context(listen(self._port))
        template = find_template(self._assembly, region=self._region, stack=self._stack)
        parts.enter_context(self._state)
        (self._state.path / FILE_NAME).unlink(missing_ok=True)  # of a runtime that was killed
        parts.enter_context(self._state.log_file())
        port = listener.getsockname()[1]
        # While the emulator starts. To be stopped at the end, where it does not come to its start.
        gateway = start_gateway(listener, self._state.logs)
        parts.callback(gateway.stop)
        self._start_emulator(template)
        endpoints = describe(
            template,
            api=f"http://{HOST}:{port}",
            aws_endpoint_url=self._emulator.endpoint_url,
            credentials=self._emulator.credentials,
            secrets=create_secrets(sources(template), self._emulator.client("ssm")),
        )
        if self._iam is not IamMode.OFF:
            self._read_policies(template)
        functions = self._start_functions(template)
        self._start_mappings(template, functions)
        self._start_gateway(template, gateway, port)
        self._start_schedules(template, functions)
        self._endpoints = endpoints
        file = endpoints.write(self._state.path)
        parts.callback(file.unlink, missing_ok=True)
        parts.enter_context(self._monitor)

    def _start_emulator(self, template: Template) -> None:
        if not self._emulator.discard_incomplete_state():
            self._state.start_anew(self._emulator.directory)
        self._emulator.keep_open(self._state.lock)
        self._parts.enter_context(self._emulator)
        try:
            self.resumed = provision(template, self._emulator)
        except DataWouldBeLostError as error:
            if not self._may_discard(error):
                raise
            self._emulator.stop()
            self._state.start_anew(self._emulator.directory)
            self._emulator.start()
            provision(template, self._emulator)
        if not self.resumed:
            self._state.forget(template.stack_name)
            (self._state.path / CALLS_FILE).unlink(missing_ok=True)
        self._services = self._parts.enter_context(self._hooks.between(self._emulator.endpoint_url))

    def _read_policies(self, template: Template) -> None:
        # What reads policies is loaded where it is asked for.
        from local.iam.enforcement import refused_sources
        from local.iam.model import IamModel

        model = IamModel.of(template)
        write_atomically(self._state.path / MODEL_FILE, model.to_json())
        if self._iam is IamMode.ENFORCE:
            self._refused = refused_sources(model)

    def _start_functions(self, template: Template) -> Functions:
        hooks = self._hooks
        functions = Functions(
            template,
            self._assembly,
            endpoint_url=self._services,
            credentials=self._emulator.credentials,
            logs=self._state.logs,
            watch=hooks.watch,
            worker=hooks.worker,
        )
        self._functions = functions
        self._parts.callback(functions.close)
        return functions

    def _start_mappings(self, template: Template, functions: Functions) -> None:
        self._parts.callback(self._mappings.stop)
        for settings in read_mappings(template):
            role = template.resource(settings.function).properties.get("Role")
            made = clients(
                endpoint_url=self._services,
                region=self._region,
                credentials=self._emulator.credentials.of_role(role_of(template, role)),
            )
            host = functions.host(settings.function)
            host.warm()
            mapping = EventSourceMapping(
                settings,
                invoke=host.invoke,
                clients=made,
                checkpoints=self._state.checkpoints / template.stack_name,
                changes=self._changes,
            )
            self._mappings.start(mapping)

    def _start_schedules(self, template: Template, functions: Functions) -> None:
        self._parts.callback(self._schedules.stop)
        # Their functions first: a schedule that cannot run stops the start before any has run.
        read = [(each, functions.host(each.function)) for each in read_schedules(template)]
        for settings, host in read:
            rule = template.resolve({"Fn::GetAtt": [settings.rule, "Arn"]})
            why = self._refused.get(rule)
            invoke = refusing(why) if why else host.invoke
            self._schedules.start(Schedule(settings, invoke, self._changes))

    def _start_gateway(self, template: Template, gateway: Child, port: int) -> None:
        config = GatewayConfig(
            assembly=str(self._assembly),
            stack=template.stack_name,
            region=self._region,
            endpoint_url=self._services,
            credentials=self._emulator.credentials,
            logs=str(self._state.logs),
            physical_ids=template.physical_ids,
            refused=self._refused,
        )
        self._gateway = gateway
        self._parts.callback(gateway.stop)
        gateway.tell(config.to_json())
        gateway.wait_for(lambda: answers(port), seconds=_START_SECONDS)
