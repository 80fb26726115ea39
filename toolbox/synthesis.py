"""Writes the cloud assembly of a stage, in a process of its own: the toolbox imports no CDK."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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
    command = [
        sys.executable,
        "-m",
        "infra.assembly.app",
        "--stage",
        stage,
        "--output",
        str(output),
    ]
    if config is not None:
        command += ["--config", str(config)]
    with _alone(output):
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env={"CDK_VALIDATION": "false", **os.environ, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        # Status 2 is wrong settings, each fault on a line; anything else ends in its reason.
        said = lines if done.returncode == WRONG_USAGE else lines[-1:]
        raise AssemblyError("\n".join(said) or f"synthesis ended with {done.returncode}")


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    output.mkdir(parents=True, exist_ok=True)
    with (output / "synthesis.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
