"""A function's environment, read once at the edge into a typed object."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping


class SettingsError(PipelineError):
    """A function's environment lacks a variable, or one has no sense."""


@dataclass(frozen=True)
class AuthorizerEnvironment:
    """What the authorizer is told by its deployment."""

    project: str
    stage: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> AuthorizerEnvironment:
        """Read it.

        Raises
        ------
        SettingsError
            When a variable is missing.
        """
        return cls(project=_required(environ, "PROJECT"), stage=_required(environ, "STAGE"))


@dataclass(frozen=True)
class FanOutEnvironment:
    """What the fan-out processor is told by its deployment."""

    project: str
    stage: str
    queue_urls: Mapping[str, str]
    dedupe_table: str
    archive_bucket: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> FanOutEnvironment:
        """Read it.

        Raises
        ------
        SettingsError
            When a variable is missing, or QUEUE_URLS is no JSON object of text.
        """
        try:
            queue_urls = json.loads(_required(environ, "QUEUE_URLS"))
        except ValueError as error:
            raise SettingsError(f"QUEUE_URLS: not JSON ({error})") from None
        if not isinstance(queue_urls, dict):
            raise SettingsError("QUEUE_URLS: expected a JSON object, queue name to URL")
        return cls(
            project=_required(environ, "PROJECT"),
            stage=_required(environ, "STAGE"),
            queue_urls={str(name): str(url) for name, url in queue_urls.items()},
            dedupe_table=_required(environ, "DEDUPE_TABLE"),
            archive_bucket=_required(environ, "ARCHIVE_BUCKET"),
        )


@dataclass(frozen=True)
class ArchiverEnvironment:
    """What the archiver is told by its deployment."""

    archive_bucket: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> ArchiverEnvironment:
        """Read it.

        Raises
        ------
        SettingsError
            When a variable is missing.
        """
        return cls(archive_bucket=_required(environ, "ARCHIVE_BUCKET"))


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise SettingsError(f"environment variable {name} is missing; the stack sets it")
    return value
