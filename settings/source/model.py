"""The model of `source.yaml` (build and command line only: a Lambda never imports this)."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from settings.faults import refuse
from settings.source.admission import BasicAuthentication, NetworkAuthentication, NoAuthentication
from settings.source.authentication import HmacAuthentication, TokenAuthentication
from settings.source.base import Model, SourceName
from settings.source.body_form import BodySettings, SkipSettings
from settings.source.consistency import source_faults
from settings.source.event_parts import DeliveryId, Headers, Locator, QueueSettings, Schemas, Split
from settings.source.handshake import FixedAnswer, HandshakeRule, HandshakeSettings
from settings.source.json_web_token import JsonWebTokenAuthentication
from settings.source.mozdef_mapping import MozdefMapping
from settings.source.polling import Polling
from settings.source.proofs import BodyTokenAuthentication, ProofSettings
from settings.source.public_key import PublicKeyAuthentication
from settings.source.sns import SnsAuthentication

__all__ = ["HmacAuthentication", "Source", "SourceName", "TokenAuthentication"]

Authentication = (
    TokenAuthentication
    | HmacAuthentication
    | BasicAuthentication
    | NetworkAuthentication
    | NoAuthentication
    | BodyTokenAuthentication
    | PublicKeyAuthentication
    | JsonWebTokenAuthentication
    | SnsAuthentication
)

MediaType = Annotated[str, Field(pattern=r"^([a-z0-9.+-]+/[a-z0-9.+-]+|\*/\*)$")]

SenderKind = Literal[
    "any",
    "business",
    "ci",
    "cloud",
    "code",
    "collaboration",
    "identity",
    "messaging",
    "monitoring",
    "security",
]


def _step(text: str) -> str:
    strange = sorted(set(re.findall(r"\{[^{}]*\}", text)) - {"{url}", "{secret}"})
    if strange:
        raise ValueError(f"{strange[0]} is unknown; use {{url}} and {{secret}}")
    return text


SetupStep = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_step)]


class Source(Model):
    """One kind of sender: `catalog/<name>/source.yaml`."""

    version: Literal[1, 2]
    title: str = Field(min_length=1, max_length=100)
    extends: SourceName | None = Field(
        default=None, description="a built-in source whose settings count where none are given"
    )
    kind: SenderKind | None = Field(default=None, description="what sort of sender it is")
    documentation: str | None = Field(default=None, description="where the sender documents this")
    setup: tuple[SetupStep, ...] = Field(
        default=(),
        description="what is done at the sender, in order; {url} is the source's address and "
        "{secret} what is written with `secret set`",
    )
    ingest: Literal["direct", "receiver", "poll"] = Field(
        default="direct",
        description="'direct': API Gateway puts requests on the stream; 'receiver': a function "
        "verifies and answers each request first; 'poll': events are fetched",
    )
    authentication: Annotated[Authentication, Field(discriminator="type")] | None = None
    handshake: HandshakeSettings | tuple[HandshakeRule, ...] | None = None
    answer: FixedAnswer | None = Field(
        default=None,
        description="what is answered to each event that is taken; $header.<name> gives a header "
        "of the request back, with ingest: receiver",
    )
    poll: Polling | None = None
    methods: tuple[Literal["POST", "PUT"], ...] = Field(
        default=("POST",), min_length=1, description="how requests with events are sent"
    )
    content_types: tuple[MediaType, ...] = Field(
        default=("application/json",), description="'*/*': any, of a source of the receiver"
    )
    form_field: str | None = Field(
        default=None, description="the form field that holds the JSON of a form-encoded delivery"
    )
    body: BodySettings | None = Field(
        default=None, description="what a body is, where it is more than a JSON text"
    )
    skip: tuple[SkipSettings, ...] = Field(
        default=(), max_length=10, description="requests that are no events, such as heartbeats"
    )
    headers: Headers = Headers()
    event_type: Locator | None = None
    ignore_types: tuple[str, ...] = Field(
        default=(), description="types that are accepted and not forwarded, such as a ping"
    )
    delivery_id: DeliveryId | None = Field(default=None, description="default: hash of the body")
    deduplication_hours: int = Field(
        default=168, ge=0, le=24 * 365, description="how long an id is remembered; 0: copies stay"
    )
    body_hash_hours: int = Field(
        default=2,
        ge=0,
        le=24 * 365,
        description="how long a body is remembered where its hash stands for an id; 0: copies stay",
    )
    same_id: Literal["deliver", "duplicate", "reject"] = Field(
        default="deliver",
        description="what becomes of an event that has a known id and another body",
    )
    same_body: Literal["deliver", "duplicate", "reject", "ignore"] = Field(
        default="deliver",
        description="what becomes of a known body under another delivery id, where no signature "
        "covers the id; ignore: no body is remembered, which halves what the table costs",
    )
    schemas: Schemas = Schemas()
    split: Split | None = None
    allowed_networks: tuple[str, ...] = ()
    mozdef: MozdefMapping = MozdefMapping()
    queue: QueueSettings = QueueSettings()

    @property
    def parameter(self) -> str:
        """The last part of the name of the parameter with the source's secret; empty without."""
        owner = self.authentication or self.poll
        if owner is None:
            raise AssertionError("a source has an authentication or polls")
        return owner.parameter

    @property
    def handshake_rules(self) -> tuple[HandshakeRule, ...]:
        """The handshakes as rules, however they are written."""
        if isinstance(self.handshake, HandshakeSettings):
            return self.handshake.rules
        return self.handshake or ()

    @property
    def is_old(self) -> bool:
        """Whether it has words that the newest version does not have."""
        return isinstance(self.handshake, HandshakeSettings)

    @property
    def needs_receiver(self) -> bool:
        """Whether a function answers some of its requests."""
        asked = {one.when.method for one in self.handshake_rules} - (
            {"GET"} if self.mirror else set()
        )
        return self.ingest == "receiver" or bool(asked)

    @property
    def mirror(self) -> tuple[str, str] | None:
        """Header and field of the one GET that API Gateway answers by itself."""
        asked = [one for one in self.handshake_rules if one.when.method == "GET"]
        return asked[0].mirror if len(asked) == 1 else None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The last parts of the names of all its parameters, that of `parameter` first."""
        further = ["auth_token"] * any(one.needs_token for one in self.handshake_rules)
        return tuple(dict.fromkeys(name for name in (self.parameter, *further) if name))

    @property
    def receiver_parameters(self) -> tuple[str, ...]:
        """Those that the receiver reads: of a direct source, what a handshake's answer needs."""
        made = any("$hmac" in one.answer.values for one in self.handshake_rules)
        if self.ingest == "receiver" or made:
            return self.parameters
        return tuple(name for name in self.parameters if name != "signing_secret")

    @property
    def pseudo_headers(self) -> tuple[str, ...]:
        """What of a request is no header and travels with it; `pipeline.event.pseudo_headers`."""
        named = self.authentication.pseudo_headers if self.authentication else ()
        return tuple(sorted(set(named)))

    @property
    def delivery_id_paths(self) -> tuple[str, ...]:
        """The paths that tell events apart; empty where there are none."""
        return self.delivery_id.all_paths if self.delivery_id else ()

    @property
    def delivery_id_needed(self) -> int:
        """How many of these paths each event has."""
        return len(self.delivery_id.needed_paths) if self.delivery_id else 0

    @property
    def remembered_body_hours(self) -> int:
        """How long a body's hash stands for an id: never longer than an id is remembered."""
        return min(self.body_hash_hours, self.deduplication_hours)

    @property
    def id_is_unsigned(self) -> bool:
        """Whether a signed request can be sent again under another id, and is looked for."""
        header = self.delivery_id.header if self.delivery_id else None
        if self.signing is None or header is None or self.same_body == "ignore":
            return False
        return header.lower() not in {name.lower() for name in self.signing.headers}

    @property
    def token(self) -> TokenAuthentication | None:
        """The token that a sender shows, where it shows one."""
        return self.authentication if isinstance(self.authentication, TokenAuthentication) else None

    @property
    def hmac(self) -> HmacAuthentication | None:
        """How a sender signs, where it does."""
        return self.authentication if isinstance(self.authentication, HmacAuthentication) else None

    @property
    def proof_of_body(self) -> ProofSettings | None:
        """What proves a request, where it is neither a token of the door nor an HMAC."""
        return self.authentication if isinstance(self.authentication, ProofSettings) else None

    @property
    def signing(self) -> HmacAuthentication | ProofSettings | None:
        """What is checked of each request behind the door too; None where nothing can be."""
        proof = self.proof_of_body
        return self.hmac if proof is None or proof.at_door else proof

    @property
    def secret_in_address(self) -> bool:
        """Whether a sender shows a secret in the path or the query, for events or a handshake."""
        shown = self.token is not None and (self.token.path or self.token.query is not None)
        asked = (rule.token for rule in self.handshake_rules)
        return shown or any(place and place.query is not None for place in asked)

    @property
    def needs_proofs_layer(self) -> bool:
        """Whether its proofs need what is in a layer of its own."""
        proof = self.proof_of_body
        return proof is not None and proof.needs_proofs_layer

    @property
    def proof(self) -> str:
        """How it is known that an event is the sender's."""
        return self.authentication.type if self.authentication else "poll"

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"{network!r} is no network: {error}") from None
        return networks

    @model_validator(mode="after")
    def _consistent(self) -> Source:
        refuse(source_faults(self))
        return self
