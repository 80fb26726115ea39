"""Polled sources for tests, so that they do not depend on what the catalogue holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settings.deployment import Deployment

if TYPE_CHECKING:
    from pathlib import Path

AUDIT = """\
version: 1
title: An API with two feeds
ingest: poll
poll:
  every_minutes: 5
  base_url: https://{domain}/api
  variables:
    domain: your domain, such as a.example
    org: the name of the organization
  credential: {type: header, prefix: "Token "}
  start_hours_ago: 48
  feeds:
    logins:
      path: /v1/{org}/logins
      events: items
      pagination: {type: cursor, cursor: next, send_as: cursor}
    changes:
      path: /v1/{org}/changes
      events: items
      pagination: {type: link}
"""
PLAIN = """\
version: 1
title: An API at one place for everyone
ingest: poll
poll:
  base_url: https://plain.example.com
  credential: {type: basic}
  feeds:
    all:
      path: /all
      events: .
      pagination: {type: link, more: events}
"""
VARIABLES: dict[str, Any] = {"domain": "mine.example.com", "org": "our-org"}


def write_sources(folder: Path) -> Path:
    """Write the sources `audit` and `plain`."""
    for name, text in {"audit": AUDIT, "plain": PLAIN}.items():
        (folder / name).mkdir()
        (folder / name / "source.yaml").write_text(text)
    return folder


def settings(folder: Path, pollers: dict[str, Any]) -> Deployment:
    return Deployment.model_validate(
        {
            "stage": "test",
            "service": "ingest",
            "sources": ("generic", "audit", "plain"),
            "source_directory": folder,
            "pollers": pollers,
        }
    )
