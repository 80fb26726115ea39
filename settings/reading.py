"""The one reader of settings files: YAML in, a checked model or all of its faults out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from settings.bounded import (
    ABSENT,
    MissingFileError,
    UnfitFileError,
    parse_yaml,
    read_bounded,
    read_own,
)
from settings.expectations import faults_of, one_line
from settings.faults import Fault, WrongSettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Settings = TypeVar("Settings", bound=BaseModel)


def read_yaml(
    path: Path,
    kind: type[WrongSettingsError] = WrongSettingsError,
    absent: str = ABSENT,
    folder: Path | None = None,
) -> Any:
    """Read one YAML file.

    Parameters
    ----------
    absent : str
        What is said where there is no such file.
    folder : Path | None
        The folder that the file must not lead out of, by a link for example.

    Raises
    ------
    WrongSettingsError
        When it is missing, is no file, is too large, is no UTF-8 or no YAML, or leads out.
    """
    try:
        content = read_bounded(path) if folder is None else read_own(folder, path)
        return parse_yaml(content)
    except MissingFileError:
        raise kind(Fault(str(path), "", absent)) from None
    except UnfitFileError as error:
        raise kind(Fault(str(path), "", one_line(str(error)), error.found)) from None


def read_mapping(
    path: Path,
    example: str,
    kind: type[WrongSettingsError] = WrongSettingsError,
    absent: str = ABSENT,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Read one YAML file that holds a mapping.

    Parameters
    ----------
    example : str
        Which keys it has, for whoever wrote something else.

    Raises
    ------
    WrongSettingsError
        As `read_yaml`, and when it holds anything else.
    """
    document = read_yaml(path, kind, absent, folder)
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise kind(Fault(str(path), "", f"expected a mapping with {example}"))
    return document


def checked(
    model: type[Settings],
    document: dict[str, Any],
    path: Path,
    kind: type[WrongSettingsError] = WrongSettingsError,
    faults: Sequence[Fault] = (),
) -> Settings:
    """Return a document as a model of it.

    Parameters
    ----------
    path : Path
        Where it was read.

    Raises
    ------
    WrongSettingsError
        With all that is wrong.
    """
    try:
        settings = model.model_validate(document)
    except ValidationError as error:
        raise kind(*faults, *faults_of(error, document, str(path))) from None
    if faults:
        raise kind(*faults)
    return settings
