"""Writes the cloud assembly of a stage, in a process of its own: the toolbox imports no CDK."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipeline.errors import PipelineError
from toolbox.terminal.output import WRONG_USAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[1]


class AssemblyError(PipelineError):
    """The cloud assembly could not be written. Its message is what the stack's code said."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that the stack's code wrote."""
        return tuple(str(self).split("\n"))


def synthesize(stage: str, output: Path, config: Path | None = None) -> None:
    """Write the cloud assembly, unless it is there and its inputs are unchanged.

    The stack's code runs in a process of its own: nothing in this package depends on it. Of two
    that write one assembly at once, the second waits, and finds it there.

    cdk-nag is asked, and a finding is an error. The CDK's own rules are not: they only warn, which
    nobody would see here, and take longer than all the rest. `mozdef-ef cdk` has them.

    Parameters
    ----------
    output : Path
        Where the assembly goes.
    config : Path | None
        That folder; `config/` of the repository when None.

    Raises
    ------
    SynthesisError
        With what the stack's code said was wrong.
    """
    with _alone(output):
        done = subprocess.run(
            _command(stage, config, "--output", str(output)),
            cwd=REPOSITORY,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        # Status 2 is wrong settings, each fault on a line; anything else ends in its reason.
        said = lines if done.returncode == WRONG_USAGE else lines[-1:]
        raise AssemblyError("\n".join(said) or f"synthesis ended with {done.returncode}")


class Synthesizer:
    """Writes the cloud assembly of a stage again and again, in a process that stays meanwhile.

    That has loaded what takes long, so that all but the first time takes a tenth. A context
    manager; one thread at a time.

    Parameters
    ----------
    config : Path
        As for `synthesize`.
    """

    def __init__(self, stage: str, config: Path) -> None:
        self._command = _command(stage, config, "--standby")
        self._open = ExitStack()
        self._process: subprocess.Popen[str] | None = None
        self._is_left = False

    def __enter__(self) -> Self:
        self._words = self._open.enter_context(tempfile.TemporaryFile())
        # The process is killed, and so is the CDK's own: neither clears away what it has there.
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._temporary = self._open.enter_context(folder)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_left = True
        self._end()
        self._open.close()

    def synthesize(self, output: Path) -> None:
        """Write the assembly, unless it is there and its inputs are unchanged.

        Parameters
        ----------
        output : Path
            Where it goes.

        Raises
        ------
        AssemblyError
            With what the stack's code said was wrong.
        """
        with _alone(output):
            self._write(output)

    def warm(self) -> None:
        """Have the process load what takes long, so that the next assembly is not its first."""
        with suppress(AssemblyError):
            self._write(None)

    def _write(self, output: Path | None) -> None:
        # It ends without an answer when its own code has changed.
        answer = self._ask(output) or self._ask(output)
        if self._is_left:
            raise AssemblyError("it was ended before its answer")
        if not answer:
            self._words.seek(0)
            said = self._words.read().decode(errors="replace").splitlines() or [
                "the synthesis ended"
            ]
            raise AssemblyError(said[-1])
        if faults := json.loads(answer)["faults"]:
            raise AssemblyError("\n".join(faults))

    def _ask(self, output: Path | None) -> str:
        if self._is_left:
            return ""
        process = self._process = self._process or self._start()
        answer = ""
        if process.stdin and process.stdout:
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(output and str(output)) + "\n")
                process.stdin.flush()
            answer = process.stdout.readline()
        if not answer:
            self._end()
        return answer

    def _start(self) -> subprocess.Popen[str]:
        self._words.seek(0)  # its place is the process's, too
        self._words.truncate()
        # In a session of its own, so that Ctrl-C reaches the parent alone.
        return subprocess.Popen(
            self._command,
            cwd=REPOSITORY,
            env=_environment() | {"TMPDIR": self._temporary},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
            start_new_session=True,
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    with suppress(OSError):
                        pipe.close()


def _command(stage: str, config: Path | None, *options: str) -> list[str]:
    words = [sys.executable, "-m", "infra.assembly.app", "--stage", stage, *options]
    return words if config is None else [*words, "--config", str(config)]


def _environment() -> dict[str, str]:
    return {"CDK_VALIDATION": "false", **os.environ, "PYTHONPATH": str(REPOSITORY)}


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    output.mkdir(parents=True, exist_ok=True)
    with (output / "synthesis.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
