"""What the locks hold: every package with its version and the hashes that it is installed by."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.markers import Marker

BUILD_LOCK = "requirements.lock"
"""What builds, checks and runs the rest: `pyproject.toml` with all extras."""

NODE_LOCK = "package-lock.json"
"""The CDK's command line, and data of the tests."""


class LockError(PipelineError):
    """A lock cannot be read; `make lock` writes it anew."""


@dataclass(frozen=True)
class LockedPackage:
    """A package of a lock.

    Parameters
    ----------
    hashes : tuple[str, ...]
        In hexadecimal: SHA-256 of each of its files for Python, SHA-512 of its one for Node.
    marker : Marker or None
        Where it is installed alone, by the environment's properties.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    marker: Marker | None = None

    def is_for_here(self) -> bool:
        """Tell whether it is installed in the environment of this process."""
        return self.marker is None or self.marker.evaluate()


def read_lock(path: Path) -> tuple[LockedPackage, ...]:
    """Read a lock of Python packages, as `make lock` writes it.

    Raises
    ------
    LockError
        When a line is no requirement with one version, or one has no hash.
    """
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return tuple(_locked(path.name, entry) for entry in entries)


def _locked(lock: str, entry: str) -> LockedPackage:
    wanted, *hashes = entry.split(" --hash=sha256:")
    try:
        requirement = Requirement(wanted)
    except InvalidRequirement as error:
        raise LockError(f"{lock}: {wanted[:80]!r} is no requirement; run make lock") from error
    (*others, pin) = requirement.specifier
    if others or pin.operator != "==" or not hashes:
        raise LockError(f"{lock}: {requirement.name} has no version or no hash; run make lock")
    found = tuple(one.strip() for one in hashes)
    return LockedPackage(requirement.name, pin.version, found, requirement.marker)


def read_node_lock(path: Path) -> tuple[LockedPackage, ...]:
    """Read npm's lock.

    Raises
    ------
    LockError
        When a package has no SHA-512.
    """
    packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
    found = []
    for place, package in sorted(packages.items()):
        if place:  # the one without a place is this project
            name = place.rpartition("node_modules/")[2]
            kind, _, digest = package.get("integrity", "").partition("-")
            if kind != "sha512":
                raise LockError(f"{path.name}: {name} has no hash (SHA-512); run npm install")
            hashes = (base64.b64decode(digest).hex(),)
            found.append(LockedPackage(name, package["version"], hashes))
    return tuple(found)
