"""What senders post to, and who then takes their requests: the setting `door` of a stage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings.deployment import Deployment
    from settings.source.loader import LoadedSource


def at_the_door(
    deployment: Deployment, sources: Mapping[str, LoadedSource]
) -> dict[str, LoadedSource]:
    """Return a stage's sources as its door takes their requests.

    An HTTP API has no mapping templates, and so puts nothing on the stream as it came: behind one,
    the receiver takes what is posted to any source, whatever its own `ingest` says.
    """
    if deployment.door == "rest_api":
        return dict(sources)
    return {name: _received(source) for name, source in sources.items()}


def _received(source: LoadedSource) -> LoadedSource:
    if source.settings.ingest != "direct":
        return source
    return replace(source, settings=source.settings.model_copy(update={"ingest": "receiver"}))
