"""The model of `source.yaml` (build and command line only: a Lambda never imports this)."""

from __future__ import annotations

import ipaddress
import itertools
import re
import zoneinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from pipeline.event.compiled_source import ANY_CONTENT_TYPE
from pipeline.event.summary import template_fault
from settings.faults import refuse
from settings.source.admission import BasicAuthentication, NetworkAuthentication, NoAuthentication
from settings.source.authentication import HmacAuthentication, SignedRequest, TokenAuthentication
from settings.source.base import SECRET_HEADERS, FieldPath, HeaderName, Model, QueueName, SourceName
from settings.source.body import BodyRule, PluginSettings, Shape, rule_plan
from settings.source.body_form import BodySettings, SkipSettings
from settings.source.detail_fields import (
    SEVERITIES,
    Category,
    FieldName,
    Places,
    ValueRule,
    field_fault,
    field_plan,
)
from settings.source.handshake import ECHO, FixedAnswer, HandshakeRule, HandshakeSettings
from settings.source.json_web_token import JsonWebTokenAuthentication
from settings.source.polling import FEED_HEADER, Polling
from settings.source.proofs import BodyTokenAuthentication, ProofSettings
from settings.source.public_key import PublicKeyAuthentication
from settings.source.sns import SnsAuthentication

if TYPE_CHECKING:
    from collections.abc import Iterator

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


class Headers(Model):
    """Which headers of a request travel in the envelope, and which must be there."""

    keep: tuple[HeaderName, ...] = ()
    require: tuple[HeaderName, ...] = ()


class Locator(Model):
    """A value in a header, or at a dotted path in the body."""

    header: HeaderName | None = None
    path: FieldPath | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Locator:
        if (self.header is None) == (self.path is None):
            raise ValueError("give either 'header' or 'path'")
        return self


class DeliveryId(Model):
    """What tells one event from another: a header, a path, or several paths taken together.

    An event that lacks a part of it is told apart by the hash of its body as well.
    """

    header: HeaderName | None = None
    path: FieldPath | None = None
    paths: tuple[FieldPath, ...] = Field(
        default=(), description="values that each event has, and that tell it apart together"
    )
    where_present: tuple[FieldPath, ...] = Field(
        default=(),
        description="further values that tell it apart, of which each event has one at least",
    )

    @model_validator(mode="after")
    def _one_of(self) -> DeliveryId:
        several = bool(self.paths or self.where_present)
        if sum((self.header is not None, self.path is not None, several)) != 1:
            raise ValueError("give either 'header', 'path', or 'paths' and 'where_present'")
        return self

    @property
    def needed_paths(self) -> tuple[str, ...]:
        """The paths that each event has; empty for a header."""
        return (self.path,) if self.path is not None else self.paths

    @property
    def all_paths(self) -> tuple[str, ...]:
        """The paths, of which there may be one; empty for a header."""
        return (*self.needed_paths, *self.where_present)


class Schemas(Model):
    """Which JSON Schema (draft 4, 6 or 7) an event of which type must satisfy."""

    types: dict[str, Path] = Field(default_factory=dict, description="event type: schema file")
    default: Path | None = Field(
        default=None, description="the schema of every type that is not listed"
    )
    unknown_types: Literal["accept", "reject"] = "accept"
    formats: bool = Field(
        default=False, description="check 'format' too; costs time and refuses real events"
    )


class Split(Model):
    """One request that carries many events: where the list of them is."""

    path: FieldPath = Field(description="dotted path to the list; '.' when the body is the list")
    # A request of so many is settled within some seconds, and senders' own bounds are far below.
    most: int = Field(
        default=5_000,
        ge=1,
        le=50_000,
        description="a request with more events is rejected as a whole (too_many_events)",
    )


class QueueSettings(Model):
    """The queue that MozDef reads; several sources may share one by its name."""

    name: QueueName | None = None
    by_type: dict[str, QueueName] = Field(default_factory=dict)


class MozdefMapping(Model):
    """How an event becomes a MozDef event. Everything has a default but `category`'s name."""

    category: Category | None = Field(default=None, description="default: the name of the source")
    category_by_type: dict[str, Category] = Field(
        default_factory=dict, description="`user.*`: all types that begin so; the longest counts"
    )
    processname: str | None = Field(default=None, description="default: the name of the source")
    hostname: str | None = Field(default=None, description="default: <source>_host")
    source: str = "api_aws_lambda"
    tags: tuple[str, ...] | None = Field(default=None, description="default: [<source>]")
    severity: SEVERITIES = "INFO"
    severity_by_type: dict[str, SEVERITIES] = Field(
        default_factory=dict, description="`user.*`: all types that begin so; the longest counts"
    )
    by_value: tuple[ValueRule, ...] = Field(
        default=(),
        description="category and severity by an event's values, before those by type; in order",
    )
    fields: dict[FieldName, Places] = Field(
        default_factory=dict,
        description="fields of `details` beside the body, such as sourceipaddress and username: "
        "the path of each, or several of which the first that has one is taken",
    )
    summary: str = Field(
        default="{source} {type}",
        description="text with {source}, {type}, {dotted.paths} of the body, {one|other} of which "
        "the first is taken, {$username} of `fields`, and {? by {path}}, which is left out where "
        "the path has nothing",
    )
    timestamp: FieldPath | tuple[FieldPath, ...] = Field(
        default=(),
        description="path of an ISO 8601 time or an epoch, or several of which the first that an "
        "event has is taken; default: the arrival",
    )
    timezone: str = Field(
        default="UTC", description="that of a time that names none, such as Europe/Berlin"
    )
    details: Shape = Field(
        default="body",
        description=(
            "'body': the sender's body, where 'body' says; or an object whose values are $body, "
            "$type, $delivery_id, $header.<name> or a dotted path of the body"
        ),
    )
    body: Literal["own_name", "top"] = Field(
        default="own_name",
        description="where the body's fields are: below details.<source>, so that no other "
        "source's are in their way, or in details itself",
    )
    rules: tuple[BodyRule, ...] = Field(
        default=(), description="what is changed in the body for the index; of several, the first"
    )
    plugin: PluginSettings | None = Field(
        default=None, description="what a plugin of MozDef's wants of the types that it keeps"
    )

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        if name not in zoneinfo.available_timezones():
            raise ValueError(f"{name!r} is no time zone, such as Europe/Berlin")
        return name

    @field_validator("fields")
    @classmethod
    def _fields_of_their_kind(cls, fields: dict[str, Places]) -> dict[str, Places]:
        for name, places in fields.items():
            if fault := field_fault(name, places):
                raise ValueError(fault)
        return fields

    @model_validator(mode="after")
    def _each_name_once(self) -> MozdefMapping:
        if fault := template_fault(self.summary, self.fields):
            raise ValueError(f"summary: {fault}")
        if self.body == "top" and any("." in rule.paths for rule in self.rules):
            raise ValueError("rules: '.' makes a text of the body, and 'body: top' needs an object")
        for shape in (self.details, self.plugin.details if self.plugin else "body"):
            taken = self.fields.keys() & (shape if isinstance(shape, dict) else {})
            if taken:
                raise ValueError(f"fields and details both have {', '.join(sorted(taken))}")
        return self

    def named_after(self, source: str) -> MozdefMapping:
        """Return the same with what is named after the source by default."""
        names = {
            "category": self.category or source,
            "processname": self.processname or source,
            "hostname": self.hostname or f"{source}_host",
            "tags": self.tags or (source,),
        }
        return self.model_copy(update=names)

    def without(self, paths: tuple[str, ...]) -> MozdefMapping:
        """Return the same with paths that are left out of every event, whatever its rules say."""
        return self.model_copy(update={"rules": (BodyRule(drop=paths), *self.rules)})

    @property
    def field_plan(self) -> tuple[Any, ...]:
        """The fields of `details` as the fan-out reads them."""
        return field_plan(self.fields)

    @property
    def value_rules(self) -> tuple[Any, ...]:
        """The rules by value as the fan-out reads them."""
        return tuple(one.rule for one in self.by_value)

    @property
    def rule_plan(self) -> tuple[Any, ...]:
        """The rules on the body, for the fan-out."""
        return rule_plan(self.rules)

    @property
    def timestamps(self) -> tuple[str, ...]:
        """The paths of an event's time, in the order in which they are tried."""
        return (self.timestamp,) if isinstance(self.timestamp, str) else self.timestamp


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
    same_body: Literal["deliver", "duplicate", "reject"] = Field(
        default="deliver",
        description="what becomes of a known body under another delivery id, where no signature "
        "covers the id",
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
        """Whether a signed request can be sent again under another id."""
        header = self.delivery_id.header if self.delivery_id else None
        if self.signing is None or header is None:
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
        proof = self.proof_of_body.faults_of(self) if self.proof_of_body else ()
        own = (
            *(self._ways_in(), self._at_the_door(), self._answers(), self._types()),
            *(self._headers(), self._forms(), self._bodies()),
        )
        refuse(itertools.chain(*own, proof))
        return self

    def _ways_in(self) -> Iterator[tuple[str, str]]:
        polls = self.ingest == "poll"
        if polls != (self.poll is not None):
            yield "poll", "is set if and only if ingest is 'poll'"
        if polls == (self.authentication is not None):
            yield "authentication", "is set unless ingest is 'poll'"
        if self.split and polls:
            yield "split", "an API's lists of events are named by its feeds"
        if self.handshake and polls:
            yield "handshake", "nothing asks for one where events are fetched"
        if not polls:
            yield from self._handshakes()

    def _answers(self) -> Iterator[tuple[str, str]]:
        if self.answer and self.ingest == "poll":
            yield "answer", "is what senders that post are answered"
        for value in self.answer.values if self.answer else ():
            if not ECHO.fullmatch(value):
                yield "answer", f"{value!r} is unknown; use $header.<name>"
            elif self.ingest != "receiver":
                yield "answer", f"only the receiver can answer with {value}; ingest: receiver"
        if self.answer and self.ingest == "direct" and self.answer.is_evaluated:
            yield "answer", "API Gateway evaluates '$', '#' and a backslash; ingest: receiver"

    def _handshakes(self) -> Iterator[tuple[str, str]]:
        """Return what is wrong with the handshakes; their keys are those of the file."""
        old = isinstance(self.handshake, HandshakeSettings)
        if old and self.version > 1:
            yield "handshake", "is a list of rules in version 2; 'source upgrade' writes it"
        for number, rule in enumerate(self.handshake_rules):
            key = "handshake.post" if old else f"handshake.{number}"
            if rule.when.method == "POST" and self.ingest != "receiver":
                yield key, "only the receiver can answer; ingest: receiver"
            if rule.learn and self.authentication and self.parameter != "signing_secret":
                yield key, "'learn' is for a source that signs"
            if "$hmac" not in rule.answer.values:
                continue
            if not self.hmac:
                yield f"{key}.answer", "$hmac needs authentication by hmac"
            elif rule.proven_by != "signature" and "{body}" not in self.hmac.signed:
                yield f"{key}.answer", "$hmac for whoever asks would sign; {body} must be signed"

    def _at_the_door(self) -> Iterator[tuple[str, str]]:
        if self.proof == "network" and not self.allowed_networks:
            yield "allowed_networks", "may not be empty: a sender's address is all that is asked"
        if self.proof == "none" and self.allowed_networks:
            yield "authentication.type", "is 'network' where allowed_networks has some"
        if self.token and f":query.{self.token.query}" in self.pseudo_headers:
            yield "authentication.query", f"{self.token.query} has the token, and is never kept"

    def _types(self) -> Iterator[tuple[str, str]]:
        if self.event_type is None:
            if self.ignore_types:
                yield "ignore_types", "set event_type, or no event can have a type"
            if self.schemas.types:
                yield "schemas.types", "set event_type, or no event can have a type"
        if self.schemas.unknown_types == "reject" and not self.schemas.types:
            yield "schemas.unknown_types", "'reject' without types rejects all"

    def _headers(self) -> Iterator[tuple[str, str]]:
        kept = {name.lower() for name in self.headers.keep}
        # Authorization of an HMAC holds no secret: who has seen it can sign nothing else.
        signs = {name.lower() for name in self.signing.all_headers} if self.signing else set()
        for name in self.headers.keep:
            if name.lower() in SECRET_HEADERS - signs:
                yield "headers.keep", f"{name} carries a secret and is never kept"
        for key, locator in (("event_type", self.event_type), ("delivery_id", self.delivery_id)):
            if locator and locator.header and locator.header.lower() not in kept:
                yield key, f"header {locator.header} must be listed in headers.keep"
        for name in self.signing.headers if self.signing else ():
            if name.lower() not in kept:
                yield "authentication", f"header {name} must be in headers.keep"
        if self.token is not None and self.token.in_header.lower() in kept:
            yield "headers.keep", f"{self.token.header} carries the token"
        if self.poll is not None and kept - {FEED_HEADER.lower()}:
            yield "headers.keep", f"a fetched event has one header, {FEED_HEADER}"

    def _forms(self) -> Iterator[tuple[str, str]]:
        form = "application/x-www-form-urlencoded"
        if ANY_CONTENT_TYPE in self.content_types and self.ingest != "receiver":
            yield "content_types", "'*/*' needs ingest: receiver; API Gateway has a list for others"
        if len(set(self.methods)) < len(self.methods):
            yield "methods", "name each once"
        # What `body` names is read by it, whatever the content type says.
        if (form in self.content_types and self.body is None) != (self.form_field is not None):
            yield "form_field", f"is set if and only if content_types has {form}"
        kept = {name.lower() for name in self.headers.keep}
        if self.form_field is not None and "content-type" not in kept:
            yield "form_field", "header Content-Type must be listed in headers.keep"

    def _signed_parts(self) -> Iterator[tuple[str, str]]:
        """Say where a signature would be checked on another reading of the body than the event's.

        JSON can hold what reads as a form's fields: their signature would let in what is beside.
        """
        signs = self.authentication if isinstance(self.authentication, SignedRequest) else None
        fields = signs is not None and any(one.startswith(":form.") for one in signs.derived)
        if fields and (self.body is None or self.body.format not in {"form", "multipart"}):
            yield "body.format", "is form or multipart where a form's fields are signed"

    def _bodies(self) -> Iterator[tuple[str, str]]:
        if self.body is not None and self.ingest == "poll":
            yield "body", "events that are fetched are JSON"
        if self.skip and self.ingest == "poll":
            yield "skip", "what is fetched is an event"
        if self.body is not None and self.body.format == "jwt" and self.proof != "jwt":
            yield "body.format", "'jwt' needs authentication by jwt: nobody would verify the claims"
        lines = self.body is not None and self.body.format == "ndjson"
        if lines and (self.split is None or self.split.path != "."):
            yield "split", "lines are a list: set split: {path: .}"
        yield from self._signed_parts()
        each = self.hmac.each if self.hmac else None
        if each is not None and (self.split is None or self.split.path != each):
            yield "split", f"what is signed each is an event each: set split: {{path: {each}}}"
        kept = {name.lower() for name in self.headers.keep}
        for number, rule in enumerate(self.skip):
            if rule.header is not None and rule.header.lower() not in kept:
                yield f"skip.{number}", f"header {rule.header} must be listed in headers.keep"
