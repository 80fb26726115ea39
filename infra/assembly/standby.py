"""Synthesizes again and again in one process: all but the first time in a tenth of the time.

What takes long is to load the CDK. Each line of standard input is an output folder as JSON, and is
answered by a line of JSON: `faults`, the lines of what was wrong, none where all is well. `null` in
the place of a folder has the CDK loaded, where it is not. The process leaves when standard input is
closed, and without an answer when the code that it has loaded has changed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CODE = ("catalog", "infra", "pipeline", "settings")


def stand_by(root: Path, synthesize: Callable[[Path], object]) -> None:
    """Answer each line of standard input.

    Parameters
    ----------
    synthesize : Callable[[Path], object]
        Writes an assembly into a folder.
    """
    loaded = dict(_code(root))
    # Standard output is for answers alone, whatever prints.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            if dict(_code(root)) != loaded:
                return
            output = json.loads(line)
            faults = _loaded(synthesize) if output is None else _faults(synthesize, Path(output))
            answers.write(json.dumps({"faults": faults}) + "\n")
            answers.flush()


def _loaded(synthesize: Callable[[Path], object]) -> list[str]:
    """Write an assembly that nobody wants, unless one was written before."""
    if "aws_cdk" in sys.modules:
        return []
    with tempfile.TemporaryDirectory() as folder:
        return _faults(synthesize, Path(folder))


def _faults(synthesize: Callable[[Path], object], output: Path) -> list[str]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            synthesize(output)
    except PipelineError as error:
        lines = [*said.getvalue().splitlines(), *str(error).splitlines()]
        return [line for line in lines if line.strip()]
    return []


def _code(root: Path) -> Iterator[tuple[Path, int]]:
    for name in _CODE:
        for path in (root / name).rglob("*.py"):
            yield path, path.stat().st_mtime_ns
