"""What other rooms use of the settings is what their packages name as public."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

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
def test_a_face_names_what_others_use_and_nothing_else(face: Any) -> None:
    below = {
        (module, name)
        for module, name in _used()
        if module.startswith("settings.source") == (face is settings.source)
    }
    public = {(module, name) for module, names in face.PUBLIC.items() for name in names}
    assert {name for _, name in below} <= {name for _, name in public}
    # Errors are for those who catch them, and nobody must.
    assert {n for _, n in public if not n.endswith("Error")} <= {name for _, name in below}
    assert all(hasattr(import_module(module), name) for module, name in public)


def test_the_faces_load_nothing() -> None:
    script = "import sys, settings.source; print([m for m in sys.modules if m[:9] == 'settings.'])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "['settings.source']\n"
