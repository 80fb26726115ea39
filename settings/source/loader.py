"""Reads source folders: settings, schemas and samples (build and command line only)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fastjsonschema
import yaml
from pydantic import TypeAdapter, ValidationError

from catalog import FOLDER
from pipeline.errors import PipelineError
from settings.source.model import Source, SourceName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CATALOG = FOLDER
SCHEMA_DRAFTS = ("draft-04", "draft-06", "draft-07")

_NAME = TypeAdapter(SourceName)


class SourceError(PipelineError):
    """A source folder is wrong: the message names the file, the key and what was expected."""


@dataclass(frozen=True)
class LoadedSource:
    """A source as its folder describes it.

    Parameters
    ----------
    name : str
        The name of the folder, of the route and of the source.
    folder : Path
        Where it was loaded from.
    settings : Source
        `source.yaml`.
    schemas : Mapping[str, Mapping[str, Any]]
        Event type to JSON Schema.
    default_schema : Mapping[str, Any] | None
        The schema of every other event type.
    """

    name: str
    folder: Path
    settings: Source
    schemas: Mapping[str, Mapping[str, Any]]
    default_schema: Mapping[str, Any] | None

    @property
    def queue(self) -> str:
        """The name of the queue that its events go to by default."""
        return self.settings.queue.name or self.name

    @property
    def queues(self) -> list[str]:
        """The names of every queue that its events can go to."""
        return sorted({self.queue, *self.settings.queue.by_type.values()})


def explain(error: ValidationError) -> str:
    """Say in one line a fault what Pydantic found: which key, what was expected."""
    lines = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        key = ".".join(str(part) for part in fault["loc"]) or "the whole file"
        lines.append(f"{key}: {fault['msg']}")
    return "; ".join(lines)


def read_yaml(path: Path) -> Any:
    """Read one YAML file.

    Raises
    ------
    SourceError
        When it is missing, is no UTF-8 or no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SourceError(f"{path}: there is no such file") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{path}: not YAML: {reason}") from None


def read_schema(path: Path) -> dict[str, Any]:
    """Read one JSON Schema, and see that it can be compiled.

    Raises
    ------
    SourceError
        When it is missing, is no JSON, refers to another document, or is of a draft for which
        there is no compiler (fastjsonschema knows drafts 4, 6 and 7).
    """
    try:
        schema = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise SourceError(f"{path}: there is no such file") from None
    except ValueError as error:
        raise SourceError(f"{path}: not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise SourceError(f"{path}: a schema is a JSON object, not {type(schema).__name__}")
    draft = schema.get("$schema", "http://json-schema.org/draft-07/schema#")
    if not any(known in str(draft) for known in SCHEMA_DRAFTS):
        raise SourceError(
            f"{path}: $schema: {draft} cannot be compiled; use one of {', '.join(SCHEMA_DRAFTS)}"
        )
    _refuse_remote_references(schema, path)
    try:
        fastjsonschema.compile(schema, use_default=False)
    except fastjsonschema.JsonSchemaDefinitionException as error:
        raise SourceError(f"{path}: the schema cannot be compiled: {error}") from None
    except Exception as error:  # noqa: BLE001 - it raises whatever its code meets in a bad schema
        raise SourceError(f"{path}: the schema cannot be compiled: {error!r}") from None
    return schema


def _refuse_remote_references(node: Any, path: Path) -> None:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            raise SourceError(f"{path}: $ref: {reference} is another document; use '#/…' only")
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            _refuse_remote_references(item, path)


def load_source(folder: Path) -> LoadedSource:
    """Load one source folder.

    Raises
    ------
    SourceError
        When anything in it is wrong.
    """
    name = folder.name
    try:
        _NAME.validate_python(name)
    except ValidationError:
        raise SourceError(
            f"{folder}: the folder's name is the route; use a-z, 0-9 and '-', a letter first"
        ) from None
    path = folder / "source.yaml"
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise SourceError(f"{path}: expected a mapping with 'version', 'title', …")
    try:
        settings = Source.model_validate(document)
    except ValidationError as error:
        raise SourceError(f"{path}: {explain(error)}") from None
    schemas = {
        event_type: read_schema(folder / file)
        for event_type, file in settings.schemas.types.items()
    }
    default = settings.schemas.default
    _check_schema_rules(settings, path)
    return LoadedSource(
        name, folder, settings, schemas, read_schema(folder / default) if default else None
    )


def _check_schema_rules(settings: Source, path: Path) -> None:
    if settings.schemas.types and settings.event_type is None:
        raise SourceError(f"{path}: schemas.types: set event_type, or no event can have a type")
    if settings.schemas.unknown_types == "reject" and not settings.schemas.types:
        raise SourceError(f"{path}: schemas.unknown_types: 'reject' without types rejects all")


def load_sources(names: Sequence[str], private: Path | None = None) -> dict[str, LoadedSource]:
    """Load sources by name, private ones before those of the catalogue.

    Parameters
    ----------
    names : Sequence[str]
        Names of sources.
    private : Path | None
        A directory of further source folders, such as `config/sources`.

    Raises
    ------
    SourceError
        When a source is in neither place, or its folder is wrong.
    """
    found = available_sources(private)
    loaded = {}
    for name in names:
        if name not in found:
            raise SourceError(
                f"{name}: no such source; there are {', '.join(sorted(found)) or 'none'}"
            )
        loaded[name] = load_source(found[name])
    return loaded


def available_sources(private: Path | None = None) -> dict[str, Path]:
    """Give the folder of every source that there is, by name."""
    found: dict[str, Path] = {}
    for directory in (CATALOG, private):
        if directory is not None and directory.is_dir():
            found |= {path.parent.name: path.parent for path in directory.glob("*/source.yaml")}
    return found
