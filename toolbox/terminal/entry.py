"""How a program of the toolbox begins and ends."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from typer.exceptions import Abort, TyperException

from local.leaving import end_in_order
from pipeline.errors import PipelineError
from toolbox.terminal.console import tell_uncaught
from toolbox.terminal.nearest import NotFoundError
from toolbox.terminal.output import DOES_NOT_HOLD, DONE, WRONG_USAGE, errors, say_error

if TYPE_CHECKING:
    import typer


def run(app: typer.Typer, **called: str) -> None:
    """Run a program; a known error is one line, not a stack trace.

    Parameters
    ----------
    called : str
        `prog_name`, where the program's name is not to depend on how it was started.
    """
    end_in_order()
    try:
        # Typer would write errors by itself, with the arguments that they quote as they are.
        status = app(standalone_mode=False, **called)
    except PipelineError as error:
        say_error(error, "mozdef-ef")
        sys.exit(DOES_NOT_HOLD if isinstance(error, NotFoundError) else WRONG_USAGE)
    except TyperException as error:
        _say_usage(error)
        sys.exit(error.exit_code)
    except Abort:
        errors.print("Aborted!")
        sys.exit(DOES_NOT_HOLD)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        # A file that was named: what is wrong with it, the system says.
        if error.filename is None or error.strerror is None:
            tell_uncaught(type(error), error, error.__traceback__)
            sys.exit(DOES_NOT_HOLD)
        errors.print(f"mozdef-ef: {error.filename}: {error.strerror}", style="red")
        sys.exit(WRONG_USAGE)
    except Exception as error:  # noqa: BLE001 - Typer puts its own hook before `sys.excepthook`
        if _is_of_aws(error):
            errors.print(f"mozdef-ef: {error}", style="red")
            sys.exit(WRONG_USAGE)
        tell_uncaught(type(error), error, error.__traceback__)
        sys.exit(DOES_NOT_HOLD)
    # The status of `typer.Exit`; what a command returns is nothing.
    sys.exit(status if isinstance(status, int) else DONE)


def _is_of_aws(error: Exception) -> bool:
    """Tell whether a service refused or could not be reached: it says which call, and why."""
    botocore = sys.modules.get("botocore.exceptions")  # who calls no service has not imported it
    kinds = (botocore.ClientError, botocore.BotoCoreError) if botocore else ()
    return isinstance(error, kinds)


def _say_usage(error: TyperException) -> None:
    told = io.StringIO()
    if hasattr(error, "show"):
        error.show(file=told)
    errors.lines(told.getvalue().rstrip() or error.format_message())
