"""A function's environment, read once at the edge into a typed object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping


class SettingsError(PipelineError):
    """A function's environment lacks a variable, or one has no sense."""


class AuthorizerEnvironment(NamedTuple):
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


class FanOutEnvironment(NamedTuple):
    """What the fan-out processor is told by its deployment."""

    project: str
    stage: str
    queue_urls: Mapping[str, str]
    dedupe_table: str
    archive_bucket: str
    former_keys_until: float
    memory_mb: int

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> FanOutEnvironment:
        """Read it; `former_keys_until` is in epoch seconds, 0 where the variable is not set.

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
            former_keys_until=float(environ.get("FORMER_KEYS_UNTIL", "0")),
            # Lambda's own variable; the least that a function can have.
            memory_mb=int(environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")),
        )


class ArchiverEnvironment(NamedTuple):
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


class ReconcilerEnvironment(NamedTuple):
    """What the reconciler is told by its deployment; the functions by their names."""

    archive_bucket: str
    fan_out_function: str
    archiver_function: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> ReconcilerEnvironment:
        """Read it.

        Raises
        ------
        SettingsError
            When a variable is missing.
        """
        return cls(
            archive_bucket=_required(environ, "ARCHIVE_BUCKET"),
            fan_out_function=_required(environ, "FAN_OUT_FUNCTION"),
            archiver_function=_required(environ, "ARCHIVER_FUNCTION"),
        )


class ReceiverEnvironment(NamedTuple):
    """What the receiver is told by its deployment.

    Parameters
    ----------
    public_url : str
        The address of the stage: what senders were given, without the source.
    """

    project: str
    stage: str
    stream_name: str
    public_url: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> ReceiverEnvironment:
        """Read it.

        Raises
        ------
        SettingsError
            When a variable is missing.
        """
        return cls(
            project=_required(environ, "PROJECT"),
            stage=_required(environ, "STAGE"),
            stream_name=_required(environ, "STREAM_NAME"),
            public_url=_required(environ, "PUBLIC_URL"),
        )


class PollerEnvironment(NamedTuple):
    """What the poller is told by its deployment; `targets` is the JSON of POLL_TARGETS.

    Parameters
    ----------
    largest_record : int
        Bytes.
    """

    project: str
    stage: str
    stream: str
    checkpoint_table: str
    archive_bucket: str
    targets: Mapping[str, Any]
    largest_record: int

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> PollerEnvironment:
        """Read it.

        Raises
        ------
        SettingsError
            When a variable is missing, POLL_TARGETS is no JSON object or MAX_RECORD_KIB no number.
        """
        try:
            targets = json.loads(_required(environ, "POLL_TARGETS"))
        except ValueError as error:
            raise SettingsError(f"POLL_TARGETS: not JSON ({error})") from None
        if not isinstance(targets, dict):
            raise SettingsError("POLL_TARGETS: expected a JSON object, source to its target")
        return cls(
            project=_required(environ, "PROJECT"),
            stage=_required(environ, "STAGE"),
            stream=_required(environ, "STREAM_NAME"),
            checkpoint_table=_required(environ, "CHECKPOINT_TABLE"),
            archive_bucket=_required(environ, "ARCHIVE_BUCKET"),
            targets=targets,
            largest_record=read_largest_record(environ),
        )


def read_largest_record(environ: Mapping[str, str]) -> int:
    """Return how many bytes a record of the stream has at most, its partition key included.

    Raises
    ------
    SettingsError
        When MAX_RECORD_KIB is missing or no whole number above 0.
    """
    text = _required(environ, "MAX_RECORD_KIB")
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text)):
        raise SettingsError(f"MAX_RECORD_KIB: {text!r:.20} is no whole number above 0")
    return int(text) * 1024


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise SettingsError(f"environment variable {name} is missing; the stack sets it")
    return value
