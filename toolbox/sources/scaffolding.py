"""Writes the folder of a new source from samples of what its sender sends."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import PipelineError
from pipeline.event.fields import find, path_of
from pipeline.event.identity import digest
from settings.source.base import SourceName
from toolbox.sources.inference import (
    InferenceError,
    Proposal,
    infer,
    parse_sample,
)
from toolbox.sources.scaffolding_given import Given
from toolbox.sources.scaffolding_samples import write_samples
from toolbox.sources.scaffolding_settings import Choices, compose, make_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from settings.source.loader import LoadedSource

__all__ = ["Choices", "Given", "Scaffold", "ScaffoldError", "read_given", "scaffold"]

MOST_SAMPLES = 200
_NAME = TypeAdapter(SourceName)
_NO_FILE_NAME = re.compile(r"[^a-z0-9]+")


class ScaffoldError(PipelineError):
    """A source folder cannot be made of what was given."""


@dataclass(frozen=True)
class Scaffold:
    """What was written.

    Parameters
    ----------
    settings : Mapping[str, Any]
        What is in `source.yaml`.
    notes : tuple[str, ...]
        What was left out, or made up.
    """

    folder: Path
    proposal: Proposal
    settings: Mapping[str, Any]
    notes: tuple[str, ...]


def read_given(files: Sequence[Path]) -> list[Given]:
    """Read samples.

    Raises
    ------
    ScaffoldError
        When a file cannot be read.
    InferenceError
        When there is nothing in it to learn from.
    """
    if len(files) > MOST_SAMPLES:
        raise ScaffoldError(f"{len(files)} samples; {MOST_SAMPLES} are enough")
    given = []
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ScaffoldError(f"{file}: cannot be read: {error.strerror}") from None
        given.append(Given(file.stem, content, parse_sample(str(file), content)))
    return given


def scaffold(
    name: str,
    given: Sequence[Given],
    directory: Path,
    choices: Choices,
    like: LoadedSource | None = None,
) -> Scaffold:
    """Write the folder of a new source.

    Parameters
    ----------
    directory : Path
        Where the folder is made.
    choices : Choices
        What the samples cannot tell.
    like : LoadedSource | None
        A source whose authentication, way in, headers and mapping are copied.

    Raises
    ------
    ScaffoldError
        When the name is no source's name, or the folder is there already.
    InferenceError
        When nothing can be inferred from the samples.
    """
    folder = _free_folder(name, directory)
    notes: list[str] = []
    kept = _distinct(given, notes)
    typed = [one.kind for one in kept] if any(one.kind for one in kept) else []
    proposal = infer([one.document for one in kept], typed)
    if proposal.split is not None and proposal.delivery_id is None:
        _refuse_repeated_events(kept, proposal.split)
    settings = make_settings(choices, proposal, like)
    schemas = _schema_files(proposal)
    settings["schemas"] = _schema_settings(schemas)
    text = compose(settings, proposal, like.name if like else None, choices)
    samples = [replace(one, name=file_name(one.name)) for one in kept]
    try:
        _write(folder, text, schemas)
        notes += write_samples(folder / "samples", samples, settings, proposal, choices.headers)
    except OSError as error:
        raise ScaffoldError(f"{folder}: cannot be written: {error.strerror}") from None
    return Scaffold(folder, proposal, settings, tuple(notes))


def _write(folder: Path, text: str, schemas: Sequence[tuple[str, str | None, Any]]) -> None:
    (folder / "schemas").mkdir(parents=True)
    (folder / "samples").mkdir()
    (folder / "source.yaml").write_text(text, encoding="utf-8")
    for file, _, schema in schemas:
        path = folder / "schemas" / file
        path.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


def _free_folder(name: str, directory: Path) -> Path:
    try:
        _NAME.validate_python(name)
    except ValidationError:
        raise ScaffoldError(
            f"{name!r}: the name is the route; use a-z, 0-9 and '-', a letter first, 40 at most"
        ) from None
    folder = directory / name
    if folder.exists():
        raise ScaffoldError(f"{folder}: is there already; remove it, or choose another name")
    return folder


def _distinct(given: Sequence[Given], notes: list[str]) -> list[Given]:
    seen: dict[bytes, str] = {}
    kept = []
    for one in given:
        if one.content in seen:
            notes.append(f"sample {one.name} is left out: it is the same as {seen[one.content]}")
        else:
            seen[one.content] = one.name
            kept.append(one)
    return kept


def _refuse_repeated_events(given: Sequence[Given], split: str) -> None:
    seen: dict[str, str] = {}
    for one in given:
        for event in find(one.document, path_of(split)):
            key = digest(orjson.dumps(event))
            if key in seen:
                raise InferenceError(
                    f"{one.name}: holds an event that is in {seen[key]} too, which would be a "
                    "duplicate; give each event something of its own"
                )
            seen[key] = one.name


def _schema_files(proposal: Proposal) -> list[tuple[str, str | None, dict[str, Any]]]:
    files: list[tuple[str, str | None, dict[str, Any]]] = []
    taken = {"default"}
    for event_type, schema in proposal.schemas.items():
        stem = _free_name(file_name(event_type), taken)
        files.append((f"{stem}.json", event_type, schema))
    return [*files, ("default.json", None, proposal.default_schema)]


def _schema_settings(files: Sequence[tuple[str, str | None, Any]]) -> dict[str, Any]:
    types = {
        event_type: f"schemas/{file}" for file, event_type, _ in files if event_type is not None
    }
    return {**({"types": types} if types else {}), "default": "schemas/default.json"}


def file_name(text: str) -> str:
    """Return a name for a file that says what is in it, whatever the text."""
    return _NO_FILE_NAME.sub("-", text.lower()).strip("-")[:60] or "sample"


def _free_name(stem: str, taken: set[str]) -> str:
    free, number = stem, 1
    while free in taken:
        number += 1
        free = f"{stem}-{number}"
    taken.add(free)
    return free
