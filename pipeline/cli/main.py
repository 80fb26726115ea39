"""The entry point of `mozdef-ef`."""

from __future__ import annotations

import sys

import typer

from pipeline.cli import audit, demo, local, send, synth, tail
from pipeline.cli.output import DONE, WRONG_USAGE, errors
from pipeline.errors import PipelineError

app = typer.Typer(
    name="mozdef-ef",
    help="Webhooks in, MozDef events out: run the pipeline, feed it, look into it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
local_app = typer.Typer(
    help="The pipeline on this machine.", no_args_is_help=True, rich_markup_mode=None
)
local_app.command("up")(local.up)
app.add_typer(local_app, name="local")
app.command("synth")(synth.synth)
app.command("send")(send.send)
app.command("tail")(tail.tail)
app.command("audit")(audit.audit)
app.command("demo")(demo.demo)


def run() -> None:
    """Run the command line; a known error is one line, not a stack trace."""
    try:
        app(standalone_mode=True)
    except PipelineError as error:
        errors.print(f"mozdef-ef: {error}", style="red", markup=False)
        sys.exit(WRONG_USAGE)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(DONE)
