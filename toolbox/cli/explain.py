"""`mozdef-ef explain`: what became of one event, from the door to MozDef's index."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from pipeline.replay.times import parse_time
from toolbox.cli.explain_screen import tell
from toolbox.cli.source_options import folders
from toolbox.deployments import DEFAULT_STATE, Stack, State, find_deployment
from toolbox.terminal.output import DOES_NOT_HOLD, errors, print_json

STANDARD_INPUT = "-"
#: API Gateway's ids have 16 characters of base64 for URLs, of which `-` is one.
_SHORTEST_ID = 8
_LONGEST_MESSAGE = 2 * 1024 * 1024


class IdentifierCommand(TyperCommand):
    """A command whose argument can begin with a hyphen, as one of 64 ids does."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words, of which one that is no option is an id."""
        if "--" in args:
            return super().parse_args(ctx, args)
        ids = [one for one in args if _is_identifier(one)]
        return super().parse_args(ctx, [*(one for one in args if one not in ids), "--", *ids])


def _is_identifier(word: str) -> bool:
    return word.startswith("-") and not word.startswith("--") and len(word) >= _SHORTEST_ID


#: What reads the words of this module's command (`toolbox/cli/lazily.py`).
COMMAND_CLASS = IdentifierCommand


def explain(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="What the door answered as the id, the sender's delivery id, or the id of a "
            "message on a local queue; '-' reads a message of MozDef from standard input.",
        ),
    ],
    *,
    source: Annotated[
        list[str] | None, typer.Option(help="Only this source; may be repeated.")
    ] = None,
    start: Annotated[
        str, typer.Option("--from", help="It came at or after: 24h ago, or an ISO 8601 time.")
    ] = "24h",
    end: Annotated[str, typer.Option("--to", help="It came before; 0s is now.")] = "0s",
    most_mib: Annotated[
        int, typer.Option("--most-mib", min=1, max=65_536, help="Read no more of the archive.")
    ] = 256,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell the way of one event: door, shard, tries, outcome and why, copies, replays, queue.

    It reads the archive, the ledger, the deduplication table and the fan-out's log, and changes
    nothing. What it says of schemas and of MozDef is by the sources of this machine.

    Exit status: 0 it was found, 1 it was not.
    """
    # What reads sources and the archive is loaded for who asks, not for who wants help.
    from toolbox.explaining.explainer import Asked
    from toolbox.explaining.found import ReadingNotes
    from toolbox.explaining.opening import Explained

    message = _standard_input() if identifier == STANDARD_INPUT else None
    now = datetime.now(UTC)
    asked = Asked(
        "" if message is not None else identifier,
        message,
        tuple(source or ()),
        parse_time(start, now),
        parse_time(end, now),
    )
    if asked.start >= asked.end:
        raise typer.BadParameter("must lie before --to", param_hint="--from")
    notes = ReadingNotes()
    scene = Explained(find_deployment(state, stack), state, stack or "", folders())
    with (
        errors.status("reading the archive"),
        scene.explainer(notes, most_mib * 2**20) as explainer,
    ):
        found = explainer.explain(asked)
    if as_json:
        print_json(
            {
                "asked": identifier,
                "found": [asdict(one) for one in found],
                "read": list(notes.told()),
                "not_known": notes.not_known,
            }
        )
    else:
        tell(found, identifier, asked, notes)
    if not found:
        raise typer.Exit(DOES_NOT_HOLD)


def _standard_input() -> Any:
    from toolbox.explaining.opening import ExplainError

    text = sys.stdin.read(_LONGEST_MESSAGE)
    try:
        # MozDef's own reader; the first line, as 'tail' prints one for each message.
        message = json.loads(text.strip().split("\n")[0])
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise ExplainError("standard input: a message of MozDef, one JSON object, is expected")
    return message
