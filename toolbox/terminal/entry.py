"""How a program of the toolbox begins and ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from local.leaving import end_in_order
from pipeline.errors import PipelineError
from toolbox.terminal.output import DONE, WRONG_USAGE, errors

if TYPE_CHECKING:
    import typer


def run(app: typer.Typer) -> None:
    """Run a program; a known error is one line, not a stack trace."""
    end_in_order()
    try:
        app(standalone_mode=True)
    except PipelineError as error:
        errors.print(f"mozdef-ef: {error}", style="red", markup=False)
        sys.exit(WRONG_USAGE)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(DONE)
