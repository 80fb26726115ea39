"""The command itself: what it says of itself."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.support.command import run_here

ROOT = Path(__file__).parents[3]


def test_the_version_is_the_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    done = run_here("--version")
    assert (done.status, done.out) == (0, f"mozdef-ef {project['version']}\n")


def test_without_a_command_it_shows_its_commands() -> None:
    done = run_here()
    assert "Webhooks in, MozDef events out" in done.out + done.err
    assert "--version" in done.out + done.err
    assert "dead-letters" in done.out + done.err
