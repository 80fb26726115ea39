"""Compiles what ships for the runtime's Python: /opt and /var/task are read-only on Lambda.

Without bytecode beside it, each cold start compiles every module that it imports, which is half of
the time that the imports take.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from uv import find_uv_bin

from pipeline.errors import PipelineError

PYTHON_VERSION = "3.13"
"""The runtime's. Its bytecode is of no use to another minor version, and of use to all its own."""

MISSING = (
    f"no Python {PYTHON_VERSION} is on this machine: the functions are without bytecode, and each "
    f"cold start compiles them. '.venv/bin/uv python install {PYTHON_VERSION}' installs one"
)


class BytecodeError(PipelineError):
    """What ships cannot be compiled."""


@cache
def runtime_python(version: str = PYTHON_VERSION) -> Path | None:
    """Return the interpreter of that version on this machine; None where there is none."""
    command = [find_uv_bin(), "python", "find", "--no-project", "--no-python-downloads", version]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode == 0:
        return Path(done.stdout.strip())
    # Those of pyenv that are not chosen, which are on CodeBuild's images, are on no search path.
    versions = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    try:
        return max(versions.glob(f"{version}.*/bin/python{version}"), default=None)
    except OSError:  # such as the folder of another user
        return None


def compile_folder(folder: Path, python: Path, prefix: str) -> None:
    """Write the bytecode of each module in a folder beside it.

    The same modules give the same bytes: neither times nor this machine's paths are in them, and
    Python takes them without a look at the module (PEP 552, unchecked hashes).

    Parameters
    ----------
    prefix : str
        Where Lambda has the folder, for tracebacks.

    Raises
    ------
    BytecodeError
        When a module cannot be compiled.
    """
    command = [str(python), "-I", "-m", "compileall", "-q", "-f"]
    command += ["--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", prefix, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BytecodeError(
            f"{folder.name}: cannot be compiled with {python}: {(done.stdout + done.stderr)[-600:]}"
        )
