"""Runs a synthesized stack on this machine: starts its parts in order, and ends them in order."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from local.assembly import find_template
from local.changes import Changes
from local.data_changes import DataWouldBeLostError
from local.emulator import Emulator
from local.endpoints import FILE_NAME
from local.files import write_atomically
from local.gateway_control import GatewayProcess
from local.hooks import Hooks
from local.iam.calls import CALLS_FILE, MODEL_FILE
from local.iam.mode import IamMode
from local.mapping.group import Mappings
from local.monitor import Monitor
from local.outputs import describe, sources
from local.processes import HOST, listen
from local.progress import Progress
from local.provision import ProvisionError, create_secrets, provision
from local.running_stack import RunningParts, RunningStack, StackPlace
from local.schedules import Schedules
from local.state import StateDirectory
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.endpoints import Endpoints
    from local.template import Template

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
        self._stack_name = stack
        self._hooks = hooks or Hooks()
        self._services = ""  # where the parts find the emulator
        self._parts = contextlib.ExitStack()
        self._iam = iam
        self._may_discard = may_discard
        own = Emulator(self._state.path, region=region, iam=iam)
        self._emulator = self._hooks.emulator or own
        self._api = ""
        self._stack: RunningStack | None = None
        self._gateway: GatewayProcess | None = None
        self._stopping = threading.Event()
        #: One at a time: a reload, or the end.
        self._going = threading.RLock()
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

    def reload(self) -> Endpoints:
        """Go over to what the assembly has now, while events flow. Any thread may call it.

        Nothing that is kept is lost: streams, queues, tables, buckets and secrets stay as they are,
        and so does the place of the mappings. What they have in progress ends as it began.

        Raises
        ------
        PipelineError
            When the template cannot be taken over, or the runtime does not run; what ran goes on.
        """
        with self._going:
            if self._stopping.is_set() or self._stack is None:
                raise PipelineError("the local pipeline does not run")
            template = self._read_template()
            try:
                provision(template, self._emulator)
                endpoints = self._endpoints_of(template)
                self._stack.take(template, self._read_policies(template))
            except (BotoCoreError, ClientError) as error:
                raise ProvisionError(f"the emulator cannot be asked: {error}") from error
            self._endpoints = endpoints
            endpoints.write(self._state.path)
            return endpoints

    def stop(self) -> None:
        """End everything: first what takes events in, last what keeps them."""
        self._stopping.set()
        with self._going:
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
        functions = self._stack.functions.pids() if self._stack else []
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
        template = self._read_template()
        parts.enter_context(self._state)
        (self._state.path / FILE_NAME).unlink(missing_ok=True)  # of a runtime that was killed
        parts.enter_context(self._state.log_file())
        self._api = f"http://{HOST}:{listener.getsockname()[1]}"
        # While the emulator starts. To be stopped at the end, where it does not come to its start.
        gateway = GatewayProcess(listener, self._state.logs)
        parts.callback(gateway.stop)
        self._start_emulator(template)
        endpoints = self._endpoints_of(template)
        refused = self._read_policies(template)
        self._stack = stack = self._new_stack(template, gateway)
        # In the order of the way of an event: what takes events in ends first.
        parts.callback(stack.functions.close)
        parts.callback(self._mappings.stop)
        parts.callback(gateway.stop)
        parts.callback(self._schedules.stop)
        stack.take(template, refused)
        self._gateway = gateway
        self._endpoints = endpoints
        file = endpoints.write(self._state.path)
        parts.callback(file.unlink, missing_ok=True)
        parts.enter_context(self._monitor)

    def _read_template(self) -> Template:
        return find_template(self._assembly, region=self._region, stack=self._stack_name)

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
            (self._state.path / CALLS_FILE).unlink(missing_ok=True)
        self._services = self._parts.enter_context(self._hooks.between(self._emulator.endpoint_url))

    def _endpoints_of(self, template: Template) -> Endpoints:
        return describe(
            template,
            api=self._api,
            aws_endpoint_url=self._emulator.endpoint_url,
            credentials=self._emulator.credentials,
            secrets=create_secrets(sources(template), self._emulator.client("ssm")),
        )

    def _read_policies(self, template: Template) -> dict[str, str]:
        if self._iam is IamMode.OFF:
            return {}
        # What reads policies is loaded where it is asked for.
        from local.iam.enforcement import refused_sources
        from local.iam.model import IamModel

        model = IamModel.of(template)
        refused = refused_sources(model) if self._iam is IamMode.ENFORCE else {}
        write_atomically(self._state.path / MODEL_FILE, model.to_json())
        return refused

    def _new_stack(self, template: Template, gateway: GatewayProcess) -> RunningStack:
        place = StackPlace(
            assembly=self._assembly,
            logs=self._state.logs,
            checkpoints=self._state.checkpoints,
            region=self._region,
            services=self._services,
            credentials=self._emulator.credentials,
        )
        return RunningStack(
            place,
            RunningParts(gateway, self._mappings, self._schedules),
            template,
            hooks=self._hooks,
            changes=self._changes,
            stopping=self._stopping,
        )
