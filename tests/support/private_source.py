"""A private source whose schema is too narrow, and archived events that it rejected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.replay import line

if TYPE_CHECKING:
    from pathlib import Path

NAME = "uptime"
NARROW = """{
  "type": "object",
  "required": ["host"],
  "properties": {"host": {"type": "string"}, "check": {"type": "object"}}
}
"""
WIDE = NARROW.replace('{"type": "object"}}', '{"type": ["object", "string"]}}')
WHY = "body.check must be object (rule 'type')"


def make_source(folder: Path) -> Path:
    """Write it; return its folder."""
    made = folder / NAME
    (made / "schemas").mkdir(parents=True)
    (made / "samples").mkdir()
    settings = {
        "version": 1,
        "title": "Checks of hosts",
        "authentication": {"type": "token"},
        "schemas": {"types": {"down": "schemas/down.json"}, "unknown_types": "accept"},
        "event_type": {"header": "X-Kind"},
        "headers": {"keep": ["X-Kind"]},
    }
    (made / "source.yaml").write_text(yaml.safe_dump(settings))
    (made / "schemas" / "down.json").write_text(NARROW)
    sample = {
        "description": "a host that is down",
        "headers": {"X-Kind": "down"},
        "body": '{"host":"a.example.com","check":{"name":"ping"}}',
        "expect": {"outcome": "delivered"},
    }
    (made / "samples" / "down.yaml").write_text(yaml.safe_dump(sample))
    return made


def rejected_line(number: int, body: Any = None, **more: Any) -> dict[str, Any]:
    """A line of `rejected/`: by default of an event whose check is a text."""
    return line(
        number,
        source=NAME,
        envelope_source=NAME,
        event_type="down",
        reason="schema_violation",
        explanation=WHY,
        headers={"content-type": "application/json", "x-kind": "down"},
        body=json.dumps({"host": f"h{number}", "check": "ping"} if body is None else body),
        **more,
    )
