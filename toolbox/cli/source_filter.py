"""Whether the sources that are asked for exist: a misspelt one has no empty answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.archive.keys import ArchiveKind
from pipeline.archive.listing import ArchiveListing
from toolbox.terminal.nearest import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolbox.deployments import RunningDeployment


def check_sources(names: Iterable[str], where: RunningDeployment) -> None:
    """See that each source is the deployment's, or has something in its archive.

    Raises
    ------
    NotFoundError
        When one is neither.
    ArchiveReadError
        When the archive cannot be listed.
    """
    others = sorted(set(names) - set(where.parameters))
    if not others:
        return
    listing = ArchiveListing(where.client("s3"), where.archive_bucket)
    known = {one for kind in ArchiveKind for one in listing.sources(kind.prefix)}
    for name in others:
        if name not in known:
            raise unknown("source", name, {*known, *where.parameters})
