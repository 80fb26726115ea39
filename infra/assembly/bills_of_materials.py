"""Bills of materials in CycloneDX's form: of what ships, and of what builds it.

They follow from the locks and from what is in the layer, so the same commit gives the same bytes:
no time, no random number.
"""

from __future__ import annotations

import hashlib
import tomllib
import uuid
from functools import lru_cache
from importlib.metadata import distributions
from typing import TYPE_CHECKING

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from infra.assembly.layer import LOCK, PROOFS_LOCK
from infra.assembly.locks import BUILD_LOCK, NODE_LOCK, read_lock, read_node_lock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from infra.assembly.locks import LockedPackage

FUNCTIONS_BILL, BUILD_BILL = "functions.cdx.json", "build.cdx.json"
VERSION = SchemaVersion.V1_6


def write_bills(root: Path, code: Path, layers: Sequence[Path], target: Path) -> None:
    """Write both bills.

    Parameters
    ----------
    code : Path
        The functions' code, as `infra.assembly.code` wrote it.
    layers : Sequence[Path]
        Their layers; of what is locked for one, it may hold less.
    target : Path
        The folder to write to; it is made.
    """
    target.mkdir(parents=True, exist_ok=True)
    held = {
        (canonicalize_name(each.name), each.version)
        for each in distributions(path=[str(layer / "python") for layer in layers])
    }
    parts = [
        _python(package, files=True)
        for package in (*read_lock(root / LOCK), *read_lock(root / PROOFS_LOCK))
        if (canonicalize_name(package.name), package.version) in held
    ]
    functions = _bill(root, "functions", parts, [_hash_of(code)])
    (target / FUNCTIONS_BILL).write_text(functions, encoding="utf-8")
    read = ("pyproject.toml", BUILD_LOCK, NODE_LOCK)
    digests = (hashlib.sha256((root / name).read_bytes()).hexdigest() for name in read)
    (target / BUILD_BILL).write_text(_build_bill(root, *digests), encoding="utf-8")


@lru_cache(maxsize=8)
def _build_bill(root: Path, _project: str, *locks: str) -> str:
    """Return the bill of what builds it: one for all stages, and all stacks, of a commit."""
    building = [_python(package, files=False) for package in read_lock(root / BUILD_LOCK)]
    building += map(_node, read_node_lock(root / NODE_LOCK))
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in locks]
    return _bill(root, "build", building, hashes)


def _bill(root: Path, what: str, parts: Sequence[Component], hashes: Sequence[HashType]) -> str:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    whole = Component(
        type=ComponentType.APPLICATION,
        name=project["name"],
        group=what,
        version=project["version"],
        bom_ref=f"{project['name']}-{what}",
        hashes=hashes,
    )
    bill = Bom(components=parts, metadata=BomMetaData(component=whole))
    bill.metadata.timestamp = None  # type: ignore[assignment]  # and is then left out
    bill.register_dependency(whole, parts)
    listed = "\n".join(
        [str(whole.bom_ref), *(str(one.content) for one in hashes), *sorted(map(_listed, parts))]
    )
    bill.serial_number = uuid.uuid5(uuid.NAMESPACE_OID, listed)
    return make_outputter(bill, OutputFormat.JSON, VERSION).output_as_string(indent=2) + "\n"


def _listed(part: Component) -> str:
    files = (one.hashes for one in part.external_references)
    digests = sorted(str(one.content) for hashes in (part.hashes, *files) for one in hashes)
    return " ".join([str(part.bom_ref), *digests])


def _python(package: LockedPackage, *, files: bool) -> Component:
    """Return a package, with the hashes of the files that a lock lets be installed for it.

    The build's have none: they are thousands, and the lock that has them is hashed as a whole.
    """
    purl = PackageURL("pypi", name=package.name, version=package.version)
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in package.hashes]
    distribution = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(str(purl)),
        hashes=hashes if files else [],
        comment="one of these files",
    )
    where = Property(name="mozdef-ef:marker", value=str(package.marker))
    return Component(
        name=package.name,
        version=package.version,
        purl=purl,
        bom_ref=str(purl),
        external_references=[distribution] if files else [],
        properties=[where] if package.marker else [],
    )


def _node(package: LockedPackage) -> Component:
    scope, _, name = package.name.rpartition("/")
    purl = PackageURL("npm", namespace=scope or None, name=name, version=package.version)
    return Component(
        name=name,
        group=scope or None,
        version=package.version,
        purl=purl,
        bom_ref=str(purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_512, content=digest) for digest in package.hashes],
    )


def _hash_of(folder: Path) -> HashType:
    """Hash a folder: each file's path and bytes, in order."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return HashType(alg=HashAlgorithm.SHA_256, content=digest.hexdigest())
