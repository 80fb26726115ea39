"""The one reader of settings files: YAML in, a checked model or all of its faults out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from settings.expectations import faults_of, one_line
from settings.faults import Fault, WrongSettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Settings = TypeVar("Settings", bound=BaseModel)

LARGEST_FILE = 16_000_000
"""Bytes: a sample may hold a request of 10 MB, the most that API Gateway takes, as base64."""


def read_yaml(
    path: Path,
    kind: type[WrongSettingsError] = WrongSettingsError,
    absent: str = "there is no such file",
) -> Any:
    """Read one YAML file.

    Parameters
    ----------
    absent : str
        What is said where there is no such file.

    Raises
    ------
    WrongSettingsError
        When it is missing, is no file, is too large, is no UTF-8 or no YAML.
    """
    try:
        _refuse_unfit(path, kind, absent)
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except WrongSettingsError:
        raise
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except RecursionError:
        reason = "nested too deep"
    except Exception as error:  # noqa: BLE001 - PyYAML's constructors raise what Python's types do
        reason = f"not readable as YAML: {error}"
    raise kind(Fault(str(path), "", one_line(reason)))


def _refuse_unfit(path: Path, kind: type[WrongSettingsError], absent: str) -> None:
    if not path.exists():
        raise kind(Fault(str(path), "", absent))
    if not path.is_file():
        found = "a folder" if path.is_dir() else "a device or a pipe"
        raise kind(Fault(str(path), "", "expected a file", found))
    if path.stat().st_size > LARGEST_FILE:
        raise kind(Fault(str(path), "", f"expected {LARGEST_FILE:,} bytes or less"))


def read_mapping(
    path: Path,
    example: str,
    kind: type[WrongSettingsError] = WrongSettingsError,
    absent: str = "there is no such file",
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
    document = read_yaml(path, kind, absent)
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
