"""The entry point of `mozdef-ef`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from toolbox.cli import (
    audit,
    cdk,
    config,
    cost,
    dead_letters,
    explain,
    listen,
    local,
    redrive,
    replay,
    replay_jobs,
    secret,
    secret_learn,
    send,
    source_check,
    source_list,
    source_new,
    source_show,
    source_try,
    source_upgrade,
    status,
    synth,
    tail,
)
from toolbox.terminal import entry
from toolbox.terminal.output import console

#: What pyproject.toml calls it.
DISTRIBUTION = "mozdef-event-framework"

app = typer.Typer(
    name="mozdef-ef",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        console.print(f"mozdef-ef {version(DISTRIBUTION)}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Webhooks in, MozDef events out: run the pipeline, feed it, look into it."""


local_app = typer.Typer(
    help="The pipeline on this machine.", no_args_is_help=True, rich_markup_mode=None
)
local_app.command("up")(local.up)
app.add_typer(local_app, name="local")
replay_app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
replay_app.callback(invoke_without_command=True)(replay.replay)
replay_app.command("list")(replay_jobs.list_jobs)
replay_app.command("show")(replay_jobs.show_job)
app.add_typer(replay_app, name="replay")
dead_letters_app = typer.Typer(
    help="Tickets for what was rejected or failed.", no_args_is_help=True, rich_markup_mode=None
)
dead_letters_app.command("list")(dead_letters.list_tickets)
dead_letters_app.command("show")(dead_letters.show_ticket)
dead_letters_app.command("replay")(dead_letters.replay_some)
dead_letters_app.command("dismiss")(dead_letters.dismiss)
app.add_typer(dead_letters_app, name="dead-letters")
redrive_app = typer.Typer(
    help="Messages that MozDef took ten times and never deleted.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
redrive_app.command("list")(redrive.list_queues)
redrive_app.command("show")(redrive.show)
redrive_app.command("back")(redrive.back)
app.add_typer(redrive_app, name="redrive")
config_app = typer.Typer(
    help="The settings of stages and of the delivery pipeline.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
config_app.command("check")(config.check)
app.add_typer(config_app, name="config")
app.command("cdk", context_settings=cdk.CONTEXT)(cdk.cdk)
source_app = typer.Typer(
    help="The kinds of senders: make one, check it, look at it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
source_app.command("new")(source_new.new)
source_app.command("check")(source_check.check)
source_app.command("list")(source_list.list_sources)
source_app.command("show")(source_show.show)
source_app.command("try")(source_try.try_file)
source_app.command("upgrade")(source_upgrade.upgrade)
app.add_typer(source_app, name="source")
secret_app = typer.Typer(
    help="The secrets that sources share with their senders.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
secret_app.command("set")(secret.set_secret)
secret_app.command("rotate")(secret.rotate)
secret_app.command("retire")(secret.retire)
secret_app.command("learn")(secret_learn.learn)
app.add_typer(secret_app, name="secret")
app.command("synth")(synth.synth)
app.command("listen")(listen.listen)
app.command("send")(send.send)
app.command("tail")(tail.tail)
app.command("explain", cls=explain.IdentifierCommand)(explain.explain)
app.command("audit")(audit.audit)
app.command("cost")(cost.cost)
app.command("status")(status.status)


def run() -> None:
    """Run the command line."""
    entry.run(app)
