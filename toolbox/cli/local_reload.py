"""Takes changed settings, schemas and sources into the pipeline on this machine while it runs."""

from __future__ import annotations

import hashlib
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from watchfiles import watch

from local.data_changes import DataWouldBeLostError
from pipeline.errors import PipelineError
from toolbox.project.next_steps import next_step
from toolbox.synthesis import REPOSITORY
from toolbox.terminal.output import console, errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local.endpoints import Endpoints
    from local.supervisor import LocalRuntime
    from toolbox.project.finding import Project
    from toolbox.synthesis import Synthesizer

# Files are often saved in twos and threes; the first of them is not to be taken in alone.
_TOGETHER_MS = 200
# A folder that is new is watched from the next round on; what changed in between is looked for.
_ROUND_MS = 1_000


class Reloader:
    """Watches the folders of a project in a thread, and has the runtime take over what changed.

    Parameters
    ----------
    assembly : Path
        What the synthesizer writes, and the runtime reads.
    way_in : Callable[[Endpoints, str], str]
        How events of a source come in, in words.
    """

    def __init__(
        self,
        runtime: LocalRuntime,
        synthesizer: Synthesizer,
        project: Project,
        assembly: Path,
        way_in: Callable[[Endpoints, str], str],
    ) -> None:
        self._way_in = way_in
        self._runtime = runtime
        self._synthesizer = synthesizer
        self._project = project
        self._assembly = assembly
        self._running = _digest(assembly)
        self._sources = project.sources
        self._fault = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more. A change that is being taken over is, or is not; nobody waits for it."""
        self._stop.set()

    def join(self) -> None:
        """Wait until its thread has ended."""
        self._thread.join()

    def take_over(self) -> None:
        """Have the runtime go over to what the settings say now, and say what came of it."""
        began = time.monotonic()
        try:
            self._synthesizer.synthesize(self._assembly)
            found = _digest(self._assembly)
            if found == self._running:
                self._say_well()
                return
            before = self._runtime.endpoints
            after = self._runtime.reload()
        except DataWouldBeLostError as error:
            step = next_step("local up")
            self._say_fault(f"{error}\nto take it over, stop this and type: {step} (it asks first)")
        except PipelineError as error:
            self._say_fault(str(error))
        else:
            self._running, self._fault = found, ""
            console.print(f"settings taken over in {time.monotonic() - began:.1f} s")
            self._say_sources(before, after)

    def _say_well(self) -> None:
        if self._fault:
            self._fault = ""
            console.print("settings are again what runs")

    def _say_fault(self, text: str) -> None:
        if self._stop.is_set() or text == self._fault:
            return
        self._fault = text
        errors.print("settings not taken over, what runs goes on:", style="red")
        for line in text.splitlines():
            errors.print(f"  {line}", style="red")

    def _say_sources(self, before: Endpoints, after: Endpoints) -> None:
        for name in sorted(after.queues.keys() - before.queues.keys()):
            console.print(f"  new: {self._way_in(after, name)}")
        for name in sorted(before.queues.keys() - after.queues.keys()):
            console.print(f"  no more: {name}; its queue stays")

    def _run(self) -> None:
        self._synthesizer.warm()
        try:
            while not self._stop.is_set():
                self._watch_folders()
        except OSError as error:  # such as a limit of inotify's
            errors.print(f"changed settings are not heard of any more: {error}", style="red")

    def _watch_folders(self) -> None:
        """Watch until folders come or go."""
        folders, is_first = set(self._folders()), True
        for changes in watch(
            *sorted(folders),
            recursive=False,
            step=_TOGETHER_MS,
            rust_timeout=_ROUND_MS,
            yield_on_timeout=True,
            stop_event=self._stop,
        ):
            if changes or is_first:
                self.take_over()
                is_first = False
                if set(self._folders()) != folders:
                    return

    def _folders(self) -> Iterator[Path]:
        """Return each folder by itself: what commands make may lie below the configuration."""
        with suppress(PipelineError):  # broken now, and said so
            self._sources = self._project.sources
        yield self._project.config.absolute()
        for root in (self._sources.absolute(), REPOSITORY / "catalog"):
            yield from (one for one in (root, *root.rglob("*")) if one.is_dir())


def _digest(assembly: Path) -> str:
    """Return what tells one assembly from another: templates have the digests of its code."""
    digest = hashlib.sha256()
    for path in sorted(assembly.glob("*.template.json")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
