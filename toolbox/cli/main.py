"""The entry point of `mozdef-ef`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from toolbox.cli.lazily import add, new_app
from toolbox.terminal import entry
from toolbox.terminal.output import console

#: What pyproject.toml calls it.
DISTRIBUTION = "mozdef-event-framework"

app = new_app(name="mozdef-ef", no_args_is_help=True, add_completion=True)


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


#: Command, or group and command → its place, and one line that fits a terminal. What stands here
#: is all that the help of a group reads; the rest is imported when it is called.
COMMANDS: dict[str, tuple[str, str] | dict[str, tuple[str, str]]] = {
    "local": {
        "up": ("local:up", "Run the synthesized stack until Ctrl-C."),
    },
    "send": ("send:send", "Sign and send payloads, as a source's sender would."),
    "listen": ("listen:listen", "Show and keep a sender's requests, at a fixed address."),
    "tail": ("tail:tail", "Print what MozDef would read, one JSON object a line."),
    "explain": ("explain:explain", "Say the way of one event, by any id of it."),
    "status": ("status:status", "Show on one screen how a deployment is."),
    "console": ("console:console", "Show the pipeline in a browser, event by event."),
    "audit": ("audit:audit", "Say whether every event is accounted for."),
    "dead-letters": {
        "list": ("dead_letters_list:list_tickets", "List the tickets, the oldest first."),
        "show": ("dead_letters:show_ticket", "Show the events of tickets, with what each broke."),
        "replay": ("dead_letters:replay_some", "Replay the objects of tickets."),
        "dismiss": ("dead_letters:dismiss", "Delete tickets without replaying them."),
    },
    "redrive": {
        "list": ("redrive:list_queues", "List the redrive queues, and what lies in each."),
        "show": ("redrive:show", "Show messages, with what MozDef does with each."),
        "back": ("redrive:back", "Move messages back to their queue."),
    },
    "replay": ("replay:app", "Put archived events back on the stream."),
    "source": {
        "new": ("source_new:new", "Write the folder of a new source from samples."),
        "check": ("source_check:check", "See that every sample ends as it says."),
        "list": ("source_list:list_sources", "List every source by the kind of its sender."),
        "show": ("source_show:show", "Explain a source's settings."),
        "try": ("source_try:try_file", "Say what would become of a request, step by step."),
        "upgrade": ("source_upgrade:upgrade", "Print settings in the newest version."),
    },
    "secret": {
        "set": ("secret:set_secret", "Write the first secret of a source."),
        "rotate": ("secret:rotate", "Put a new secret before those that are there."),
        "retire": ("secret:retire", "Drop a former secret."),
        "learn": ("secret_learn:learn", "Let a sender say its secret, for a few minutes."),
    },
    "config": {
        "check": ("config:check", "Check all settings; with --aws, the account too."),
    },
    "doctor": ("doctor:doctor", "Say what of machine, settings or account stands in the way."),
    "synth": ("synth:synth", "Write the cloud assembly of a stage."),
    "cdk": ("cdk:cdk", "Run the CDK's command line: diff, deploy and so on."),
    "cost": ("cost:cost", "Reckon what a rate of events costs in a month."),
}
_GROUPS = {
    "local": "The pipeline on this machine.",
    "redrive": "Messages that MozDef took ten times and never deleted.",
    "dead-letters": "Tickets for what was rejected or failed.",
    "config": "The settings of stages and of the delivery pipeline.",
    "source": "The kinds of senders: make one, check it, look at it.",
    "secret": "The secrets that sources share with their senders.",
}
#: The CDK reads its own words.
_AS_GIVEN = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

for _name, _what in COMMANDS.items():
    if isinstance(_what, dict):
        _group = new_app(help=_GROUPS[_name], no_args_is_help=True)
        for _command, (_place, _said) in _what.items():
            add(_group, _command, f"toolbox.cli.{_place}", _said)
        add(app, _name, _group, _GROUPS[_name])
    else:
        _settings = _AS_GIVEN if _name == "cdk" else {}
        add(app, _name, f"toolbox.cli.{_what[0]}", _what[1], **_settings)


def run() -> None:
    """Run the command line."""
    entry.run(app, prog_name="mozdef-ef")
