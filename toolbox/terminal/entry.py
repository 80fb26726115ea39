"""How a program of the toolbox begins and ends."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from typer.exceptions import Abort, TyperException

from local.leaving import end_in_order
from pipeline.errors import PipelineError
from toolbox.terminal.console import tell_uncaught
from toolbox.terminal.nearest import NotFoundError
from toolbox.terminal.output import DOES_NOT_HOLD, DONE, WRONG_USAGE, errors, say_error

if TYPE_CHECKING:
    import typer

#: A shell's status for a program that wrote to a pipe which nobody reads: 128 and SIGPIPE.
_NOBODY_READS = 141
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EIO}


def run(app: typer.Typer, **called: str) -> None:
    """Run a program; a known error is one line, not a stack trace.

    Parameters
    ----------
    called : str
        `prog_name`, where the program's name is not to depend on how it was started.
    """
    _open_streams()
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
        sys.exit(_say_system(error))
    except Exception as error:  # noqa: BLE001 - Typer puts its own hook before `sys.excepthook`
        if _is_of_aws(error):
            errors.print(f"mozdef-ef: {error}", style="red")
            sys.exit(WRONG_USAGE)
        tell_uncaught(type(error), error, error.__traceback__)
        sys.exit(DOES_NOT_HOLD)
    # The status of `typer.Exit`; what a command returns is nothing.
    sys.exit(status if isinstance(status, int) else DONE)


def _say_system(error: OSError) -> int:
    """Say what the system refused; return the exit status."""
    if isinstance(error, BrokenPipeError):
        _write_no_more()
        return _NOBODY_READS
    if error.filename is None and error.errno in _UNWRITABLE:
        _write_no_more()
        errors.print(f"mozdef-ef: what was written: {error.strerror}", style="red")
        return WRONG_USAGE
    if error.filename is None or error.strerror is None:
        tell_uncaught(type(error), error, error.__traceback__)
        return DOES_NOT_HOLD
    # A file that was named: what is wrong with it, the system says.
    errors.print(f"mozdef-ef: {error.filename}: {error.strerror}", style="red")
    return WRONG_USAGE


def _open_streams() -> None:
    """Give a program the streams that it was started without; what it opens would take their place.

    The first file that is opened has the lowest number that is free.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _write_no_more() -> None:
    """Throw away what is still to be written, which would fail once more at the end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
