"""Sources as a Lambda reads them: plain data and generated validators, nothing to parse.

A dataclass declares what the steps read of `source.yaml`. The compiler (`settings.source.compiler`)
fills each field from the setting of the same name, and writes the objects as Python. `Annotated`
adds what is different: a text is the dotted way to a setting of another name, a function makes the
value ready at build. A field's default stands for a part that a source does not have; the defaults
of settings are in the model alone. Nothing compares these objects, so they have no `__eq__`: each
method that `dataclass` makes costs some 0.2 ms of a cold start.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import orjson

from pipeline.errors import PipelineError
from pipeline.event.body_rules import BodyRules
from pipeline.event.detail_fields import DetailFields
from pipeline.event.encodings import longest, strict_reader
from pipeline.event.fields import PathSet, path_of
from pipeline.event.judgement import TypeTable, ValueRules
from pipeline.event.summary import SummaryTemplate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo
    from types import ModuleType

    from pipeline.event.bodies.body_form import BodyForm
    from pipeline.event.compiled_handshake import AnswerForm, Handshake
    from pipeline.event.compiled_poll import PollSettings
    from pipeline.event.detail_fields import FieldPlan
    from pipeline.event.fields import Dotted, Lower
    from pipeline.event.judgement import Rule
    from pipeline.event.proof import ProofOfBody
    from pipeline.event.rule_states import RulePlan
    from pipeline.event.skipping import SkipRule

Validator = Callable[[Any], Any]
Mac = Callable[[bytes], bytes]

#: Stands in a list of content types for all of them.
ANY_CONTENT_TYPE = "*/*"
#: In bytes (RFC 2104, FIPS 180-4). Without `hashlib`, which few functions need.
_DIGEST_SIZES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class CatalogError(PipelineError):
    """The compiled catalogue is missing or does not fit the code."""


class SchemaUnavailableError(PipelineError):
    """The validator of a source's schema cannot be imported: its events cannot be judged."""


def _lower(names: Iterable[str]) -> frozenset[str]:
    return frozenset(map(str.lower, names))


def _path_set(paths: Iterable[str]) -> PathSet:
    return PathSet([path_of(path) for path in paths])


def _seconds(hours: int) -> int:
    return hours * 3600


def _rejects(unknown_types: str) -> bool:
    return unknown_types == "reject"


def _rules(rules: tuple[Rule, ...]) -> ValueRules | None:
    return ValueRules(rules) if rules else None


def _fields(plan: FieldPlan) -> DetailFields | None:
    return DetailFields(plan) if plan else None


def _body_rules(plan: RulePlan) -> BodyRules | None:
    return BodyRules(plan) if plan else None


def _is_top(body: str) -> bool:
    return body == "top"


def _parts(details: str | Mapping[str, str]) -> Mapping[str, str] | None:
    return None if isinstance(details, str) else details


@dataclass(frozen=True, kw_only=True, eq=False)
class Signature:
    """How a source signs its requests; `DetailedSignature` has what few do."""

    #: Of the class, and no field: without an annotation.
    detailed = False

    #: Of a header in lower case, or of what travels beside the headers, with its colon.
    header: Annotated[str, "place"]
    prefix: str
    separator: str | None
    algorithm: str
    encoding: str
    signed: str
    timestamp_header: Annotated[Lower | None, "timestamp.header"]
    timestamp_prefix: Annotated[str, "timestamp.prefix"] = ""
    timestamp_unit: Annotated[str, "timestamp.unit"] = ""
    tolerance_seconds: Annotated[int, "timestamp.tolerance_seconds"] = 0
    key_prefix: Annotated[str, "secret.prefix"]
    key_encoding: Annotated[str, "secret.encoding"]

    @property
    def where(self) -> str:
        """Where the signature is, in words."""
        return self.header[1:] if self.header[0] == ":" else f"header {self.header}"

    @cached_property
    def last_keys(self) -> list[tuple[tuple[bytes, ...], list[Mac]]]:
        """The secrets that were last asked for, and what signs with them: for many requests."""
        return []

    @property
    def scheme(self) -> str:
        """What `Authorization` begins with, where it holds the signature."""
        return self.prefix

    @cached_property
    def digest_size(self) -> int:
        """How many bytes a signature has."""
        return _DIGEST_SIZES[self.algorithm]

    @cached_property
    def longest(self) -> int:
        """How many characters a signature can have, its prefix included."""
        return len(self.prefix) + longest(self.digest_size, self.encoding)

    @cached_property
    def read(self) -> Callable[[str], bytes]:
        """What reads a signature without its prefix; it raises `ValueError`."""
        return strict_reader(self.encoding)

    @cached_property
    def of_body_alone(self) -> bool:
        """Whether one body has one signature, while the secret stays."""
        return self.signed == "{body}" and self.separator is None

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The signed string in parts: literals, and names of what is filled in, by turns."""
        return tuple(PLACEHOLDER.split(self.signed))

    @cached_property
    def literals(self) -> tuple[bytes, ...]:
        """The literals among the parts."""
        return tuple(literal.encode() for literal in self.parts[0::2])

    @cached_property
    def filled_in(self) -> tuple[tuple[str, bytes], ...]:
        """The names among the parts, each with the literal behind it."""
        return tuple(zip(self.parts[1::2], self.literals[1:], strict=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class PluginForm:
    """What a plugin of MozDef's wants of the types that it keeps."""

    types: Annotated[frozenset[str], frozenset]
    tags: tuple[str, ...]
    details: Annotated[Mapping[str, str] | None, _parts]


@dataclass(frozen=True, kw_only=True, eq=False)
class MozdefSettings:
    """How a source's events become MozDef events."""

    category: str
    processname: str
    hostname: str
    source: str
    tags: tuple[str, ...]
    severity: str
    severity_by_type: Annotated[TypeTable, TypeTable]
    category_by_type: Annotated[TypeTable, TypeTable]
    by_value: Annotated[ValueRules | None, "value_rules", _rules]
    fields: Annotated[DetailFields | None, "field_plan", _fields]
    summary: Annotated[SummaryTemplate, SummaryTemplate]
    timestamps: tuple[Dotted, ...]
    timezone: str
    details: Annotated[Mapping[str, str] | None, _parts]
    body_at_top: Annotated[bool, "body", _is_top]
    rules: Annotated[BodyRules | None, "rule_plan", _body_rules]
    plugin: PluginForm | None

    @cached_property
    def zone(self) -> tzinfo:
        """That of times that name none."""
        if self.timezone == "UTC":
            return UTC
        from zoneinfo import ZoneInfo  # few need it

        return ZoneInfo(self.timezone)

    @cached_property
    def head(self) -> bytes:
        """The JSON that the source's events begin with, without the brace at the end."""
        return self.head_with(self.tags)

    @cached_property
    def plugin_head(self) -> bytes:
        """The same for the types that a plugin keeps."""
        return self.head_with(self.plugin.tags if self.plugin else self.tags)

    def head_with(self, tags: tuple[str, ...]) -> bytes:
        """Return the same with these tags."""
        names = ("hostname", "processname", "source")
        shared = {name: getattr(self, name) for name in names}
        document = {**shared, "tags": tags, "processid": "0"}
        return orjson.dumps(document)[:-1]


@dataclass(frozen=True, kw_only=True, eq=False)
class CompiledSource:
    """Everything that the handlers know of a source.

    `name`, `queue` and the names of the validators' modules are the folder's, not a setting's.
    """

    name: str
    queue: str
    #: The names in `details` that bodies of other sources have, where its own body is at the top.
    neighbours: frozenset[str]
    schema_modules: Mapping[str, str]
    default_schema_module: str | None
    authentication: Annotated[str, "proof"]
    secret_kind: Annotated[str, "parameter"]
    token_header: Annotated[Lower, "token.in_header"] = ""
    token_query: Annotated[str, "token.query"] = ""
    token_in_path: Annotated[bool, "token.path"] = False
    token_prefix: Annotated[str, "token.prefix"] = ""
    signature: Annotated[Signature | None, "hmac"]
    #: What proves a request instead, where neither a token nor an HMAC does.
    proof_of_body: ProofOfBody | None
    ingest: str
    handshakes: Annotated[tuple[Handshake, ...], "handshake_rules"]
    #: What is answered to each event in place of our own word; None for that.
    answer: AnswerForm | None
    poll: PollSettings | None
    allowed_networks: tuple[str, ...]
    content_types: tuple[str, ...]
    form_field: str | None
    body_form: Annotated[BodyForm | None, "body"]
    skip: tuple[SkipRule, ...]
    kept_headers: Annotated[frozenset[str], "headers.keep", _lower]
    pseudo_headers: tuple[str, ...] = ()
    required_headers: Annotated[tuple[str, ...], "headers.require"]
    split: Annotated[Dotted | None, "split.path"]
    split_most: Annotated[int, "split.most"] = 5_000
    event_type_header: Annotated[Lower | None, "event_type.header"]
    event_type_path: Annotated[Dotted | None, "event_type.path"]
    ignored_types: Annotated[frozenset[str], "ignore_types", frozenset]
    reject_unknown_types: Annotated[bool, "schemas.unknown_types", _rejects]
    delivery_id_header: Annotated[Lower | None, "delivery_id.header"]
    delivery_id_paths: Annotated[PathSet, "delivery_id_paths", _path_set]
    #: So many of these paths, from the first on, belong to each event.
    delivery_id_needed: int
    id_is_unsigned: bool
    deduplication_seconds: Annotated[int, "deduplication_hours", _seconds]
    body_hash_seconds: Annotated[int, "remembered_body_hours", _seconds]
    same_id: str
    same_body: str
    queue_by_type: Annotated[Mapping[str, str], "queue.by_type"]
    mozdef: MozdefSettings
    _validators: dict[str, Validator | SchemaUnavailableError] = field(
        default_factory=dict, repr=False
    )

    def validator(self, event_type: str) -> Validator | None:
        """Return the generated validator of an event type; None where any event will do.

        Its module is imported when the type is first seen, so a cold start imports none. What
        cannot be imported is not tried again: another module comes with another process.

        Raises
        ------
        SchemaUnavailableError
            When the module cannot be imported, or holds no validator.
        """
        module = self.schema_modules.get(event_type, self.default_schema_module)
        if module is None:
            return None
        known = self._validators.get(module)
        if known is None:
            known = self._validators[module] = self._imported(module)
        if isinstance(known, SchemaUnavailableError):
            raise known
        return known

    def _imported(self, module: str) -> Validator | SchemaUnavailableError:
        try:
            validator: Validator = importlib.import_module(module).validate
        except MemoryError:
            raise  # the batch's fault, and not the module's
        except Exception as error:  # noqa: BLE001 - it is generated code, and runs
            return SchemaUnavailableError(
                f"source {self.name}: schema module {module.rpartition('.')[2]} cannot be imported "
                f"({error!r:.300}); deploy anew"
            )
        return validator

    @cached_property
    def own_key(self) -> bytes:
        """The field of `details` that holds the body of its events, as JSON with the colon."""
        return orjson.dumps(self.name) + b":"

    def knows_type(self, event_type: str) -> bool:
        """Tell whether the source names a schema for this event type."""
        return event_type in self.schema_modules


@dataclass(frozen=True)
class Catalog:
    """The sources of one deployment, by name."""

    sources: Mapping[str, CompiledSource]

    def get(self, name: str) -> CompiledSource | None:
        """Return a source by its name."""
        return self.sources.get(name)


def load_catalog(package: str = "compiled_catalog") -> Catalog:
    """Import the package that the build wrote.

    Parameters
    ----------
    package : str
        Its name; it lies beside the handlers in the functions' asset.

    Raises
    ------
    CatalogError
        When there is no such package, or it was written by another version of the compiler.
    """
    try:
        module = importlib.import_module(package)
        _compare(package, module)
        return Catalog(module.SOURCES)
    except ModuleNotFoundError as error:
        raise CatalogError(f"{package}: not built ({error})", then="synth") from error
    except (AttributeError, ImportError, TypeError) as error:
        raise CatalogError(f"{package}: does not fit this code ({error!r}); build anew") from error


def _compare(package: str, module: ModuleType) -> None:
    """See that the compiler knew every field that the steps declare, and no other."""
    for name, fields in module.FIELDS.items():
        declared = set(getattr(module, name).__dataclass_fields__)
        if odd := sorted(declared.symmetric_difference(fields)):
            raise CatalogError(
                f"{package}: {name} was compiled with other fields ({', '.join(odd)}); build anew"
            )
