"""Real webhooks of GitHub: the examples of @octokit/webhooks-examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from pipeline.errors import PipelineError

EXAMPLES = (
    Path(__file__).parents[2] / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"
)


class ExamplesError(PipelineError):
    """The real payloads are not installed."""


def real_payloads(path: Path = EXAMPLES) -> list[tuple[str, Any]]:
    """Return event type and body of the 329 examples of @octokit/webhooks-examples.

    Raises
    ------
    ExamplesError
        When they are not installed.
    """
    try:
        document = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise ExamplesError(f"{path}: not installed; run 'make setup'") from None
    return [(kind["name"], example) for kind in document for example in kind["examples"]]
