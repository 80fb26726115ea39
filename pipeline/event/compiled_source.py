"""Sources as a Lambda reads them: plain data and generated validators, nothing to parse."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.errors import PipelineError
from pipeline.event.compiled_poll import PollSettings, read_poll_settings
from pipeline.event.fields import FieldPath, PathSet, SummaryTemplate, compile_path, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Validator = Callable[[Any], Any]

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class CatalogError(PipelineError):
    """The compiled catalogue is missing or does not fit the code."""


@dataclass(frozen=True)
class Signature:
    """How a source signs its requests. Strings are as in `source.yaml`."""

    header: str
    prefix: str
    algorithm: str
    encoding: str
    signed: str
    timestamp_header: str | None
    tolerance_seconds: int
    separator: str | None = None
    timestamp_prefix: str = ""
    timestamp_unit: str = "seconds"
    key_prefix: str = ""
    key_encoding: str = "text"

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The signed string in parts: literals, and names of what is filled in, by turns."""
        return tuple(_PLACEHOLDER.split(self.signed))


@dataclass(frozen=True)
class Challenge:
    """A POST that the receiver answers by itself, and how."""

    path: FieldPath
    equals: str
    challenge: FieldPath
    answer: Mapping[str, str]


@dataclass(frozen=True)
class MozdefSettings:
    """How a source's events become MozDef events; `head` is the JSON that they all share."""

    category: str
    processname: str
    hostname: str
    source: str
    tags: tuple[str, ...]
    severity: str
    severity_by_type: Mapping[str, str]
    summary: SummaryTemplate
    timestamps: tuple[FieldPath, ...]
    details: Mapping[str, str] | None
    head: bytes


@dataclass(frozen=True)
class CompiledSource:
    """Everything that the handlers know of a source."""

    name: str
    authentication: str
    secret_kind: str
    token_header: str
    token_prefix: str
    ingest: str
    content_types: tuple[str, ...]
    kept_headers: frozenset[str]
    challenge: Challenge | None
    poll: PollSettings | None
    signature: Signature | None
    form_field: str | None
    event_type_header: str | None
    event_type_path: FieldPath | None
    delivery_id_header: str | None
    delivery_id_paths: PathSet
    ignored_types: frozenset[str]
    deduplication_seconds: int
    schema_modules: Mapping[str, str]
    default_schema_module: str | None
    reject_unknown_types: bool
    split: FieldPath | None
    allowed_networks: tuple[str, ...]
    queue: str
    queue_by_type: Mapping[str, str]
    mozdef: MozdefSettings
    _validators: dict[str, Validator] = field(default_factory=dict, compare=False, repr=False)

    def validator(self, event_type: str) -> Validator | None:
        """Give the generated validator of an event type; None where any event will do.

        Its module is imported when the type is first seen, so a cold start imports none.
        """
        module = self.schema_modules.get(event_type, self.default_schema_module)
        if module is None:
            return None
        known = self._validators.get(module)
        if known is None:
            known = importlib.import_module(module).validate
            self._validators[module] = known
        return known

    def knows_type(self, event_type: str) -> bool:
        """Tell whether the source names a schema for this event type."""
        return event_type in self.schema_modules


@dataclass(frozen=True)
class Catalog:
    """The sources of one deployment, by name."""

    sources: Mapping[str, CompiledSource]

    def get(self, name: str) -> CompiledSource | None:
        """Give a source by its name."""
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
        data = importlib.import_module(package).SOURCES
        return Catalog({name: _source(name, plain, package) for name, plain in data.items()})
    except ModuleNotFoundError as error:
        raise CatalogError(f"{package}: not built ({error}); run 'mozdef-ef synth'") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise CatalogError(f"{package}: does not fit this code ({error!r}); build anew") from error


def _source(name: str, plain: Mapping[str, Any], package: str) -> CompiledSource:
    def module(schema: str | None) -> str | None:
        return None if schema is None else f"{package}.{schema}"

    values = dict(plain)
    mozdef = dict(values.pop("mozdef"))
    shared = {key: mozdef[key] for key in ("category", "hostname", "processname", "source", "tags")}
    mozdef["head"] = orjson.dumps({**shared, "processid": "0"})[:-1]
    mozdef["summary"] = SummaryTemplate(mozdef["summary"])
    mozdef["timestamps"] = tuple(path_of(path) for path in mozdef["timestamps"])
    signature = values.pop("signature")
    challenge, poll = values.pop("challenge"), values.pop("poll")
    for key in ("event_type_path", "split"):
        values[key] = compile_path(values[key])
    values["delivery_id_paths"] = PathSet([path_of(path) for path in values["delivery_id_paths"]])
    for key in ("ignored_types", "kept_headers"):
        values[key] = frozenset(values[key])
    values["schema_modules"] = {
        event_type: f"{package}.{schema}" for event_type, schema in values["schema_modules"].items()
    }
    values["default_schema_module"] = module(values["default_schema_module"])
    return CompiledSource(
        name=name,
        signature=Signature(**signature) if signature else None,
        challenge=_challenge(challenge) if challenge else None,
        poll=read_poll_settings(poll) if poll else None,
        mozdef=MozdefSettings(**mozdef),
        **values,
    )


def _challenge(plain: Mapping[str, Any]) -> Challenge:
    return Challenge(
        path=path_of(plain["path"]),
        equals=plain["equals"],
        challenge=path_of(plain["challenge"]),
        answer=plain["answer"],
    )
