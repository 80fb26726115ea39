"""What ships: code and layer as they are built, for this machine, where nothing can be written."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from infra.assembly.bytecode import runtime_python
from infra.assembly.code import write_code
from infra.assembly.layer import Runtime, build_layer
from loadtests.bench.measuring import WorkError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from settings.source.loader import LoadedSource

ROOT = Path(__file__).parents[2]
#: Nothing of this machine: no packages of its own, no folder of the script, no bytecode written.
_ALONE = ("-S", "-P", "-B")


@dataclass(frozen=True)
class Shipped:
    """Folders in the place of /var/task and /opt/python, and who reads them.

    Parameters
    ----------
    python : Path
        An interpreter of Lambda's version; this one, where the machine has no other.
    writes : bool
        Whether bytecode is written beside modules that have none.
    """

    code: Path
    packages: Path
    python: Path
    writes: bool = False
    #: What is not shipped, and measures it.
    beside: Path | None = None

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Start the interpreter with code and packages alone on its path, and wait for it."""
        return subprocess.run(
            self._command(arguments),
            cwd="/",
            env=self._environment(environment),
            capture_output=True,
            text=True,
            check=False,
        )

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], answers: int
    ) -> subprocess.Popen[bytes]:
        """Start the interpreter in the same way, and talk to it. What it prints is thrown away.

        Parameters
        ----------
        answers : int
            A file descriptor that it gets.
        """
        return subprocess.Popen(
            self._command(arguments),
            cwd="/",
            env=self._environment(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            bufsize=0,
            pass_fds=[answers],
        )

    def version(self) -> str:
        """Return the interpreter's version."""
        program = "import platform; print(platform.python_version())"
        return self.run(["-c", program], {}).stdout.strip()

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [str(self.python), *(_ALONE[:-1] if self.writes else _ALONE), *arguments]

    def _environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        folders = [self.code, self.packages, *([self.beside] if self.beside else [])]
        return {**environment, "PYTHONPATH": os.pathsep.join(map(str, folders))}

    def sizes(self) -> dict[str, int]:
        """Return the bytes of the files of both assets."""
        return {"code": _size(self.code), "layer": _size(self.packages)}


def ship(
    sources: Mapping[str, LoadedSource], folder: Path, python: Path | None = None
) -> tuple[Shipped, Shipped]:
    """Build what ships, with bytecode and read-only, and the same modules in a writable tree.

    The layer's extension modules are those of this machine: Lambda's cannot be run here.

    Parameters
    ----------
    folder : Path
        Where both are written; it is made.
    python : Path, optional
        The interpreter; by default one of Lambda's version, if there is one, else this one.
    """
    python = python or runtime_python() or Path(sys.executable)
    layer = build_layer(ROOT, ROOT / "build", python, Runtime(_version(python), platform=""))
    shipped = Shipped(folder / "var" / "task", folder / "opt" / "python", python)
    warm = Shipped(folder / "warm" / "task", folder / "warm" / "python", python, writes=True)
    shutil.copytree(layer / "python", shipped.packages)
    shutil.copytree(layer / "python", warm.packages, ignore=shutil.ignore_patterns("__pycache__"))
    write_code(ROOT, sources, shipped.code, python)
    write_code(ROOT, sources, warm.code)
    for place in (shipped.code, shipped.packages):
        for one in [place, *place.rglob("*")]:
            one.chmod(0o555 if one.is_dir() else 0o444)
    return shipped, warm


def beside_other_designs(shipped: Shipped, folder: Path) -> Shipped:
    """Return the same interpreter with the packages of other designs in the place of the layer.

    They are installed into a folder, in the versions that this machine's are locked to.
    """
    command = [find_uv_bin(), "pip", "install", "--quiet", "--python", str(shipped.python)]
    command += ["--target", str(folder), "--constraint", str(ROOT / "requirements.lock")]
    command += ["--only-binary", ":all:", "aws-lambda-powertools", "boto3", "jsonschema", "orjson"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise WorkError(f"other designs: cannot be installed:\n{done.stderr.strip()}")
    return replace(shipped, packages=folder)


def boto3_for_comparison(python: Path) -> Shipped:
    """Return what imports boto3 of this machine's packages, which are pure Python, and compiles."""
    found = importlib.util.find_spec("boto3")
    assert found is not None and found.origin is not None  # noqa: S101, PT018 - a dependency
    packages = Path(found.origin).parents[1]
    return Shipped(packages, packages, python, writes=True)


def _version(python: Path) -> str:
    program = "import sys; print(*sys.version_info[:2], sep='.')"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _size(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())
