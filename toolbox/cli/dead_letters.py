"""`mozdef-ef dead-letters`: the tickets for what was rejected or failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.archive.keys import ArchiveKind
from pipeline.replay.engine import REPLAY_LIMIT
from toolbox.cli import completing
from toolbox.cli.dead_letters_list import (
    Before,
    Json,
    OfKind,
    OfReason,
    OfSource,
    Since,
    choice_of,
    choose,
)
from toolbox.cli.dead_letters_replay import report_tickets
from toolbox.cli.replay_history import windows_of_settings
from toolbox.cli.replay_run import sending_with_bar
from toolbox.cli.replay_wait import WAIT_SECONDS, Wait, WaitSeconds
from toolbox.dead_letters.dismissing import dismiss_ticket, dismissed_key, said_reason
from toolbox.dead_letters.function_log import cause_of
from toolbox.dead_letters.queue import DeadLetterError, Ticket, find_ticket
from toolbox.dead_letters.reading import (
    archived_objects,
    event_documents,
    function_log,
    open_queue,
    quarantined,
    read_ticket,
)
from toolbox.dead_letters.replaying import keeper, plan_of_tickets, replay_tickets
from toolbox.deployments import DEFAULT_STATE, RunningDeployment, Stack, State, find_deployment
from toolbox.project.options import completed
from toolbox.terminal.output import console, errors, print_json
from toolbox.terminal.stopping import stopping

if TYPE_CHECKING:
    from collections.abc import Iterable


Identifiers = Annotated[
    list[str],
    typer.Argument(
        metavar="ID...",
        help="Of each the beginning is enough.",
        autocompletion=completed(completing.tickets),
    ),
]
CUT = 500
_OF_SEVERAL_LINES = frozenset({"body", "record", "message"})


def show_ticket(
    identifiers: Identifiers,
    *,
    full: Annotated[bool, typer.Option(help="Bodies in full.")] = False,
    quarantine: Annotated[bool, typer.Option(help="Of what is in quarantine.")] = False,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Show the events of tickets, each with the rule that it broke."""
    where = find_deployment(state, stack)
    if quarantine:
        known = quarantined(where, errors.print)
        tickets = _distinct(find_ticket(known, one) for one in identifiers)
    else:
        with open_queue(where) as queue:
            tickets = _distinct(map(queue.find, identifiers))
    most = None if full else CUT
    if as_json:
        documents = [
            {
                **read_ticket(where, ticket, errors.print),
                "events": list(event_documents(where, ticket, most)),
            }
            for ticket in tickets
        ]
        print_json(documents if len(identifiers) > 1 else documents[0])
        return
    for ticket in tickets:
        _print_ticket(where, ticket, most)


def _print_ticket(where: RunningDeployment, ticket: Ticket, most: int | None) -> None:
    console.print(f"{ticket.id}: {ticket.kind}, {ticket.key}")
    if ticket.kind == ArchiveKind.FAILED:
        log = function_log(where, errors.print)
        if cause := cause_of(archived_objects(where), ticket.key, log):
            _print_field("the function said", cause)
    for event in event_documents(where, ticket, most):
        console.print()
        for name, value in event.items():
            if value not in {"", None} if isinstance(value, str) else True:
                text = ", ".join(value) if isinstance(value, list) else str(value)
                _print_field(name, text)


def _distinct(tickets: Iterable[Ticket]) -> list[Ticket]:
    return list({ticket.id: ticket for ticket in tickets}.values())


def _print_field(name: str, text: str) -> None:
    if name in _OF_SEVERAL_LINES and "\n" in text.rstrip("\n"):
        console.print(f"  {name}:")
        # It could hold lines that look like the next fields.
        console.lines(text, prefix="  | ")
    else:
        console.print(f"  {name}: {text}")


def replay_some(
    identifiers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", autocompletion=completed(completing.tickets)),
    ] = None,
    *,
    source: OfSource = None,
    reason: OfReason = None,
    kind: OfKind = None,
    start: Since = None,
    end: Before = None,
    everything: Annotated[bool, typer.Option("--all", help="Every ticket.")] = False,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Events a second.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100, help="Leave out what was replayed so often.")
    ] = REPLAY_LIMIT,
    force: Annotated[bool, typer.Option(help="Deliver again what was delivered.")] = False,
    wait: Wait = False,
    wait_seconds: WaitSeconds = WAIT_SECONDS,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Replay the objects of tickets. A ticket goes when all of its events are on the stream.

    An object is replayed as a whole: with --reason, also its events that have another one.

    Options that may be repeated: --source, --reason, --kind.

    Exit status: 0 every ticket is gone, 1 some remain, none is what was asked for, or, with
    --wait, something was not delivered, 130 stopped.
    """
    choice = choice_of(source, reason, kind, start, end)
    if [bool(identifiers), everything, choice.narrow].count(True) != 1:
        raise DeadLetterError("name the tickets by their ids, by --source and the like, or --all")
    where = find_deployment(state, stack)
    with open_queue(where) as queue:
        if identifiers:
            chosen = _distinct(map(queue.find, identifiers))
        else:
            chosen = list(choose(choice, queue.tickets, where))
        options: dict[str, Any] = {"rate": rate, "limit": limit, "force": force}
        plan = plan_of_tickets(where, chosen, options, windows_of_settings)
        with (
            stopping() as stop,
            sending_with_bar(plan, stop, keeper(queue)) as replayer,
        ):
            results = replay_tickets(plan, replayer, queue, chosen, stop)
    # The queue has its other tickets back meanwhile.
    report_tickets(
        where, plan.job, chosen, results, wait=wait_seconds if wait else 0, as_json=as_json
    )


def dismiss(
    identifiers: Identifiers,
    *,
    reason: Annotated[str, typer.Option(help="Why nothing needs to be done; is kept.")],
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Delete tickets without replaying them. Who did so, when and why is kept in the archive."""
    reason = said_reason(reason)
    where = find_deployment(state, stack)
    documents = []
    with open_queue(where) as queue:
        # All are looked for first: a wrong id dismisses nothing.
        for ticket in _distinct(map(queue.find, identifiers)):
            documents.append(dismiss_ticket(where, queue, ticket, reason, errors.print))
            if not as_json:
                console.print(f"{ticket.id}: dismissed; why is in {dismissed_key(ticket)}")
    if as_json:
        print_json(documents if len(identifiers) > 1 else documents[0])
