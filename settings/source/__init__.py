"""A source: the model of its `source.yaml`, its loader, and the compiler of the catalogue."""

from settings.source.admission import (
    AT_THE_DOOR,
    UNPROVEN,
    BasicAuthentication,
    authorizer_identity,
)
from settings.source.authentication import HmacAuthentication, SignedRequest, TokenAuthentication
from settings.source.base import SourceName
from settings.source.body import BodyRule
from settings.source.body_form import BodySettings
from settings.source.compiler import (
    body_form_of,
    body_place_of,
    check_validators,
    json_of,
    signature_of,
    write_compiled_catalog,
)
from settings.source.detail_fields import (
    DOCUMENTED,
    TYPE,
    Places,
    ValueRule,
    places_of,
    values_of,
)
from settings.source.errors import SourceError
from settings.source.event_parts import DeliveryId
from settings.source.filling import compiled_as
from settings.source.handshake import FixedAnswer
from settings.source.json_web_token import JsonWebTokenAuthentication
from settings.source.loader import (
    CATALOG,
    LoadedSource,
    available_sources,
    load_source,
    load_sources,
    read_source_settings,
)
from settings.source.model import Authentication, Source
from settings.source.mozdef_mapping import MozdefMapping
from settings.source.polling import FEED_HEADER
from settings.source.proofs import BodyTokenAuthentication, ProofSettings
from settings.source.schema_agreement import disagreement
from settings.source.sns import SnsAuthentication
from settings.source.upgrading import NEWEST, upgraded, upgraded_text

__all__ = [
    "AT_THE_DOOR",
    "CATALOG",
    "DOCUMENTED",
    "FEED_HEADER",
    "NEWEST",
    "TYPE",
    "UNPROVEN",
    "Authentication",
    "BasicAuthentication",
    "BodyRule",
    "BodySettings",
    "BodyTokenAuthentication",
    "DeliveryId",
    "FixedAnswer",
    "HmacAuthentication",
    "JsonWebTokenAuthentication",
    "LoadedSource",
    "MozdefMapping",
    "Places",
    "ProofSettings",
    "SignedRequest",
    "SnsAuthentication",
    "Source",
    "SourceError",
    "SourceName",
    "TokenAuthentication",
    "ValueRule",
    "authorizer_identity",
    "available_sources",
    "body_form_of",
    "body_place_of",
    "check_validators",
    "compiled_as",
    "disagreement",
    "json_of",
    "load_source",
    "load_sources",
    "places_of",
    "read_source_settings",
    "signature_of",
    "upgraded",
    "upgraded_text",
    "values_of",
    "write_compiled_catalog",
]
