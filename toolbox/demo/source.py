"""The demo's private source: a help desk whose schema is wrong at first, and then mended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

NAME = "helpdesk"
POLLED = "okta-system-log"
SENDERS = ("okta", "pagerduty", "slack", "stripe", "zoom")
"""Of these, Slack and Zoom go through the receiver, and Okta packs events into one request."""

STAGE = "demo"
TICKETS = 20

_SETTINGS: dict[str, Any] = {
    "version": 1,
    "title": "A help desk (of the demo)",
    "authentication": {"type": "token", "prefix": "Bearer "},
    "delivery_id": {"path": "ticket"},
    "schemas": {"default": "ticket.json"},
    "mozdef": {"summary": "Ticket {ticket}: {subject}"},
}


def schema(*, broken: bool) -> dict[str, Any]:
    """Return the schema of a ticket; the broken one expects a number to be text."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": ["ticket", "subject"],
        "properties": {"ticket": {"type": "string" if broken else "integer"}},
    }


def write_config(folder: Path, *, broken: bool, api: str) -> Path:
    """Write the demo's stage and its private source; files that are right stay untouched.

    Parameters
    ----------
    folder : Path
        Where `demo.yaml` and `sources/` go.
    broken : bool
        Whether the help desk's schema is the wrong one.
    api : str
        Where the polled source is fetched from.

    Returns
    -------
    Path
        The folder.
    """
    source = folder / "sources" / NAME
    source.mkdir(parents=True, exist_ok=True)
    stage = {
        "service": "ingest",
        "sources": ["github", "generic", NAME, *SENDERS, POLLED],
        "pollers": {POLLED: {"base_url": api}},
        "archiver": {"batching_window_seconds": 1},
    }
    (folder / f"{STAGE}.yaml").write_text(yaml.safe_dump(stage), encoding="utf-8")
    (source / "source.yaml").write_text(yaml.safe_dump(_SETTINGS), encoding="utf-8")
    (source / "ticket.json").write_text(json.dumps(schema(broken=broken)), encoding="utf-8")
    return folder
