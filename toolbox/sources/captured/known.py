"""The built-in sources whose signature is in a header that a request has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settings.bounded import UnfitFileError, read_own
from settings.source.authentication import HmacAuthentication
from settings.source.loader import CATALOG, SourceError, available_sources, read_source_settings
from toolbox.sources.captured.places import names_signature

if TYPE_CHECKING:
    from toolbox.sources.captured.request import CapturedRequest

#: They take what any sender sends.
_OF_ANYONE = frozenset({"generic", "generic-hmac"})


def known_schemes(request: CapturedRequest) -> dict[str, dict[str, Any]]:
    """Return the `authentication` of built-in sources that sign in a header of the request."""
    names = {name.lower() for name, _ in request.headers if names_signature(name)}
    found = {}
    for source, folder in sorted(available_sources().items()):
        if folder.parent != CATALOG or source in _OF_ANYONE:
            continue
        try:
            text = read_own(folder, folder / "source.yaml").lower()
            if not any(name.encode() in text for name in names):
                continue  # few are read as YAML, which is slow
            proof = read_source_settings(folder).authentication
        except (UnfitFileError, SourceError):
            continue
        if isinstance(proof, HmacAuthentication) and (proof.header or "").lower() in names:
            found[source] = proof.model_dump(mode="json", exclude_unset=True)
    return found
