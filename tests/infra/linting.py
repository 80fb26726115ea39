"""What cfn-lint says of a template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_LINTED: dict[bytes, list[Any]] = {}


def lint(template: Path) -> list[Any]:
    """Lint a template, once in a process: a stage's are alike in every mode of delivery.

    The linter is imported here, and what it knows of AWS is read by its first call. Together they
    take as long as the lint, so one worker has all files with such a test (`LINTED`, conftest.py).
    """
    content = template.read_bytes()
    if content not in _LINTED:
        from cfnlint.api import lint_file  # type: ignore[import-untyped]

        _LINTED[content] = lint_file(template)
    return _LINTED[content]
