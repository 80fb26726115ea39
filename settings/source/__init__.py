"""A source: the model of its `source.yaml`, its loader, and the compiler of the catalogue."""

from settings.source.authentication import HmacAuthentication, TokenAuthentication
from settings.source.base import SourceName
from settings.source.compiler import check_validators, signature_of, write_compiled_catalog
from settings.source.errors import SourceError
from settings.source.handshake import GetHandshake
from settings.source.loader import (
    CATALOG,
    LoadedSource,
    available_sources,
    load_source,
    load_sources,
    read_source_settings,
)
from settings.source.model import DeliveryId, MozdefMapping, Source
from settings.source.polling import FEED_HEADER
from settings.source.schema_agreement import disagreement

__all__ = [
    "CATALOG",
    "FEED_HEADER",
    "DeliveryId",
    "GetHandshake",
    "HmacAuthentication",
    "LoadedSource",
    "MozdefMapping",
    "Source",
    "SourceError",
    "SourceName",
    "TokenAuthentication",
    "available_sources",
    "check_validators",
    "disagreement",
    "load_source",
    "load_sources",
    "read_source_settings",
    "signature_of",
    "write_compiled_catalog",
]
