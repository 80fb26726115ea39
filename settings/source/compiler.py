"""Writes the package `compiled_catalog`: plain data, and one validator module for each schema."""

from __future__ import annotations

import pprint
import re
import zlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import fastjsonschema

from pipeline.event.compiled_source import Signature
from settings.source.model import HmacAuthentication, TokenAuthentication

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from settings.source.loader import LoadedSource

_PACKAGE = "compiled_catalog"
_NO_IDENTIFIER = re.compile(r"[^a-z0-9]+")


def write_compiled_catalog(
    sources: Mapping[str, LoadedSource], directory: Path, package_name: str = _PACKAGE
) -> None:
    """Write the package for these sources.

    The same sources give the same bytes, so that the asset's hash says whether anything changed.

    Parameters
    ----------
    sources : Mapping[str, LoadedSource]
        The sources of one deployment, by name.
    directory : Path
        Where the package's folder is made.
    package_name : str
        The package's name.
    """
    package = directory / package_name
    package.mkdir(parents=True, exist_ok=True)
    compiled = {}
    for name in sorted(sources):
        source = sources[name]
        modules = _write_validators(source, package)
        compiled[name] = _plain(source, modules)
    text = pprint.pformat(compiled, width=100, sort_dicts=True)
    (package / "__init__.py").write_text(
        f'"""Generated from the source folders: plain data."""\n\nSOURCES = {text}\n',
        encoding="utf-8",
    )


def _write_validators(source: LoadedSource, package: Path) -> dict[str | None, str]:
    modules: dict[str | None, str] = {}
    schemas: dict[str | None, Mapping[str, Any]] = dict(source.schemas.items())
    if source.default_schema is not None:
        schemas[None] = source.default_schema
    # Several types may share one schema file: equal schemas become one module.
    written: dict[str, str] = {}
    # Names such as `a-b` and `a--b` would else give one module.
    mark = f"{zlib.crc32(source.name.encode()):08x}"
    for number, (event_type, schema) in enumerate(schemas.items()):
        code = fastjsonschema.compile_to_code(
            dict(schema), use_default=False, use_formats=source.settings.schemas.formats
        )
        if code not in written:
            label = _NO_IDENTIFIER.sub("_", (event_type or "default").lower())
            module = f"{_NO_IDENTIFIER.sub('_', source.name)}_{mark}_{number}_{label}"
            (package / f"{module}.py").write_text(code, encoding="utf-8")
            written[code] = module
        modules[event_type] = written[code]
    return modules


def _plain(source: LoadedSource, modules: Mapping[str | None, str]) -> dict[str, Any]:
    settings = source.settings
    authentication = settings.authentication
    signature = signature_of(authentication)
    event_type, delivery_id = settings.event_type, settings.delivery_id
    token = authentication if isinstance(authentication, TokenAuthentication) else None
    challenge = settings.handshake.post if settings.handshake else None
    return {
        "authentication": authentication.type if authentication else "poll",
        "secret_kind": settings.parameter,
        "token_header": token.header.lower() if token else "",
        "token_prefix": token.prefix if token else "",
        "ingest": settings.ingest,
        "content_types": settings.content_types,
        "kept_headers": tuple(sorted(name.lower() for name in settings.headers.keep)),
        "challenge": challenge.model_dump() if challenge else None,
        "poll": settings.poll.model_dump(exclude={"base_url", "variables"})
        if settings.poll
        else None,
        "signature": asdict(signature) if signature else None,
        "form_field": settings.form_field,
        "event_type_header": _lower(event_type.header) if event_type else None,
        "event_type_path": event_type.path if event_type else None,
        "delivery_id_header": _lower(delivery_id.header) if delivery_id else None,
        "delivery_id_paths": delivery_id.all_paths if delivery_id else (),
        "ignored_types": tuple(sorted(set(settings.ignore_types))),
        "deduplication_seconds": settings.deduplication_hours * 3600,
        "schema_modules": {
            event_type: module for event_type, module in modules.items() if event_type is not None
        },
        "default_schema_module": modules.get(None),
        "reject_unknown_types": settings.schemas.unknown_types == "reject",
        "split": settings.split.path if settings.split else None,
        "allowed_networks": settings.allowed_networks,
        "queue": source.queue,
        "queue_by_type": settings.queue.by_type,
        "mozdef": _mozdef(source),
    }


def _mozdef(source: LoadedSource) -> dict[str, Any]:
    mapping = source.settings.mozdef
    return {
        "category": mapping.category or source.name,
        "processname": mapping.processname or source.name,
        "hostname": mapping.hostname or f"{source.name}_host",
        "source": mapping.source,
        "tags": mapping.tags or (source.name,),
        "severity": mapping.severity,
        "severity_by_type": dict(mapping.severity_by_type),
        "summary": mapping.summary,
        "timestamps": mapping.timestamps,
        "details": None if isinstance(mapping.details, str) else dict(mapping.details),
    }


def signature_of(
    authentication: TokenAuthentication | HmacAuthentication | None,
) -> Signature | None:
    """Give the compiled form of how a source signs; None for one that does not."""
    if not isinstance(authentication, HmacAuthentication):
        return None
    timestamp = authentication.timestamp
    return Signature(
        header=authentication.header.lower(),
        prefix=authentication.prefix,
        algorithm=authentication.algorithm,
        encoding=authentication.encoding,
        signed=authentication.signed,
        timestamp_header=timestamp.header.lower() if timestamp else None,
        tolerance_seconds=timestamp.tolerance_seconds if timestamp else 0,
        separator=authentication.separator,
        timestamp_prefix=timestamp.prefix if timestamp else "",
        timestamp_unit=timestamp.unit if timestamp else "seconds",
        key_prefix=authentication.secret.prefix,
        key_encoding=authentication.secret.encoding,
    )


def _lower(name: str | None) -> str | None:
    return name.lower() if name else None
