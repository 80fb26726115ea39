"""How a program of the toolbox begins and ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from local.leaving import end_in_order
from pipeline.errors import PipelineError
from toolbox.terminal.console import tell_uncaught
from toolbox.terminal.output import DOES_NOT_HOLD, DONE, WRONG_USAGE, say_error

if TYPE_CHECKING:
    import typer


def run(app: typer.Typer) -> None:
    """Run a program; a known error is one line, not a stack trace."""
    end_in_order()
    try:
        app(standalone_mode=True)
    except PipelineError as error:
        say_error(error, "mozdef-ef")
        sys.exit(WRONG_USAGE)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - Typer puts its own hook before `sys.excepthook`
        tell_uncaught(type(error), error, error.__traceback__)
        sys.exit(DOES_NOT_HOLD)
    sys.exit(DONE)
