"""The demo: `python -m toolbox.demo`, or `make demo`."""

from __future__ import annotations

import typer

from toolbox.demo.run import demo
from toolbox.terminal.entry import run

if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(demo)
    run(app)
