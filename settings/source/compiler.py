"""Writes the package `compiled_catalog`: plain data, and one validator module for each schema."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.event.bodies.body_form import BodyForm
from pipeline.event.compiled_source import CompiledSource, Signature
from pipeline.event.parsing import BodyPlace, json_in
from settings.source.filling import compiled_as
from settings.source.generating import source_text
from settings.source.model import Authentication, HmacAuthentication, Source
from settings.source.sample_bodies import sample_bodies
from settings.source.schema_agreement import check_module

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings.source.loader import LoadedSource

_PACKAGE = "compiled_catalog"
_NO_IDENTIFIER = re.compile(r"[^a-z0-9]+")


def write_compiled_catalog(
    sources: Mapping[str, LoadedSource],
    directory: Path,
    package_name: str = _PACKAGE,
    *,
    check: bool = True,
) -> None:
    """Write the package for these sources.

    The same sources give the same bytes, so that the asset's hash says whether anything changed.

    Parameters
    ----------
    sources : Mapping[str, LoadedSource]
        The sources of one deployment, by name.
    directory : Path
        Where the package's folder is made.
    check : bool
        Whether the validators are run beside the reference; False where that was done before.

    Raises
    ------
    SourceError
        When a validator, as it was written, does not judge as the reference library does.
    """
    package = directory / package_name
    package.mkdir(parents=True, exist_ok=True)
    compiled = {}
    for name in sorted(sources):
        modules = _write_validators(sources[name], package, check=check)
        known = {kind: f"{package_name}.{module}" for kind, module in modules.items()}
        compiled[name] = _compiled(sources[name], known, _own_names(sources, name))
    (package / "__init__.py").write_text(source_text(compiled), encoding="utf-8")


def check_validators(source: LoadedSource) -> None:
    """Write the validators of a source as the build does, and run them beside the reference.

    Raises
    ------
    SourceError
        When one of them does not judge as the reference library does.
    """
    with TemporaryDirectory() as directory:
        _write_validators(source, Path(directory), check=True)


def _write_validators(source: LoadedSource, package: Path, *, check: bool) -> dict[str | None, str]:
    modules: dict[str | None, str] = {}
    # Several types may share one schema file: equal code becomes one module.
    written: dict[str, str] = {}
    # Names such as `a-b` and `a--b` would else give one module.
    mark = f"{zlib.crc32(source.name.encode()):08x}"
    samples = sample_bodies(source.folder, body_place_of(source.settings)) if check else {}
    for number, (event_type, schema) in enumerate(source.compiled.items()):
        if schema.code not in written:
            label = _NO_IDENTIFIER.sub("_", (event_type or "default").lower())
            module = f"{_NO_IDENTIFIER.sub('_', source.name)}_{mark}_{number}_{label}"
            (package / f"{module}.py").write_text(schema.code, encoding="utf-8")
            written[schema.code] = module
        modules[event_type] = written[schema.code]
        if check:
            check_module(schema, package / f"{modules[event_type]}.py", samples)
    return modules


def _own_names(sources: Mapping[str, LoadedSource], but: str) -> frozenset[str]:
    """Return where the other sources' bodies are in `details`, for one whose own is at the top."""
    if sources[but].settings.mozdef.body != "top":
        return frozenset()
    own = (one.name for one in sources.values() if one.settings.mozdef.body == "own_name")
    return frozenset(own) - {but}


def _compiled(
    source: LoadedSource, modules: Mapping[str | None, str], neighbours: frozenset[str]
) -> CompiledSource:
    # What is named after the folder is the model's too, which does not know the folder.
    settings = source.settings.model_copy(update={"mozdef": source.mozdef})
    return compiled_as(
        CompiledSource,
        settings,
        name=source.name,
        queue=source.queue,
        neighbours=neighbours,
        schema_modules={kind: module for kind, module in modules.items() if kind is not None},
        default_schema_module=modules.get(None),
    )


def body_form_of(settings: Source) -> BodyForm | None:
    """Return the compiled form of a source's bodies; None where they are JSON as they are."""
    return None if settings.body is None else compiled_as(BodyForm, settings.body)


def body_place_of(settings: Source) -> BodyPlace:
    """Return where in a source's bodies the JSON is."""
    return BodyPlace(settings.form_field, body_form_of(settings))


def json_of(settings: Source, body: bytes) -> bytes:
    """Return the JSON in a body, as the pipeline finds it.

    Raises
    ------
    BodyError
        When there is none.
    """
    return json_in(body_place_of(settings), body)


def signature_of(authentication: Authentication | None) -> Signature | None:
    """Return the compiled form of a source's HMAC; None where it has none."""
    if not isinstance(authentication, HmacAuthentication):
        return None
    return compiled_as(authentication.compiled_kind, authentication)
