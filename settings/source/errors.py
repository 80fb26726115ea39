"""The error of whatever belongs to a source."""

from __future__ import annotations

from settings.faults import WrongSettingsError


class SourceError(WrongSettingsError):
    """A source, its folder or a file for it is wrong."""
