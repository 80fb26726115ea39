"""What other rooms use of the settings is what their packages' faces export."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import settings
import settings.source

ROOT = Path(__file__).parents[3]
OTHERS = ("infra", "ingest_lambdas", "loadtests", "local", "stream_processors", "toolbox")


def _used() -> set[tuple[str, str]]:
    """Module and name of each import that another room makes."""
    return {
        (node.module, alias.name)
        for room in OTHERS
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if node.module.partition(".")[0] == "settings" and node.module != "settings"
    }


@pytest.mark.parametrize("face", [settings, settings.source])
def test_a_face_exports_what_others_use_and_nothing_else(face: object) -> None:
    name = getattr(face, "__name__", "")
    below = {
        used
        for module, used in _used()
        if module.startswith("settings.source") == (name == "settings.source")
    }
    exported = set(getattr(face, "__all__", ()))
    assert below <= exported
    # Errors are for those who catch them, and nobody must.
    assert {one for one in exported - below if not one.endswith("Error")} == set()
    assert all(hasattr(face, one) for one in exported)
