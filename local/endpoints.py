"""Where a running local pipeline can be reached: the file that it writes for other tools."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

from local.credentials import RunCredentials
from local.files import write_atomically
from local.state import in_use
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_NAME = "endpoints.json"


class NotRunningError(PipelineError):
    """No local pipeline runs with this state directory."""


@dataclass(frozen=True)
class Endpoints:
    """The addresses, names and secrets of a running local pipeline."""

    api: str
    aws_endpoint_url: str
    region: str
    stream: str
    queues: Mapping[str, str]
    dead_letter_queue: str
    archive_bucket: str
    dedupe_table: str
    parameters: Mapping[str, Mapping[str, str]]
    credentials: RunCredentials
    #: Source to the SSM parameter of its own secret, whether it is there or not.
    parameter_names: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the file's text."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Endpoints:
        """Read the file's text.

        Raises
        ------
        ValueError, KeyError, TypeError
            When it is not what `to_json` gives.
        """
        document = json.loads(text)
        found = {one.name: document[one.name] for one in fields(cls)}
        return cls(**{**found, "credentials": RunCredentials(**found["credentials"])})

    def write(self, state: Path) -> Path:
        """Write the file into the state directory; readable by its owner, for it holds secrets."""
        path = state / FILE_NAME
        write_atomically(path, self.to_json())
        return path


def read(path: Path) -> Endpoints:
    """Read the endpoints of a running local pipeline.

    Raises
    ------
    NotRunningError
        When there is no such file, or it is broken or not this user's.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        found = Endpoints.from_json(file.read_bytes())
        alive = in_use(file.parent)
    except (FileNotFoundError, NotADirectoryError):
        raise NotRunningError(f"{file}: not there, so nothing runs", then="local up") from None
    except OSError as error:
        raise NotRunningError(
            f"{file}: cannot be read: {error.strerror}; see who ran 'local up' here"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise NotRunningError(f"{file}: broken ({error})", then="local up") from None
    if not alive:
        raise NotRunningError(f"{file}: left over, nothing runs any more", then="local up")
    return found
