"""What `mozdef-ef replay` knows of this machine's sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolbox.cli.source_options import folders, say_broken
from toolbox.replaying.history import windows_of
from toolbox.replaying.wishes import event_types

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.replay.event_types import EventTypes
    from pipeline.replay.filters import Filter
    from pipeline.replay.windows import DeduplicationWindow


def windows_of_settings() -> dict[str, DeduplicationWindow]:
    """Return for how long the deduplication table remembers the events of each source."""
    return windows_of(folders(), say_broken)


def types_of_settings(wanted: Filter, deployed: Collection[str] = ()) -> EventTypes:
    """Return the sources' rules for event types, where the filter asks for types."""
    return event_types(wanted, folders, say_broken, deployed)
