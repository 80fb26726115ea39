"""`mozdef-ef redrive`: what MozDef took again and again and never deleted."""

from __future__ import annotations

import json
import os
import shlex
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.replay.times import iso
from settings.names import REDRIVE
from settings.stack_outputs import StackOutput
from toolbox.dead_letters.queue import DeadLetterError
from toolbox.dead_letters.redrive import RedriveQueue
from toolbox.deployments import DEFAULT_STATE, Stack, State, find_deployment
from toolbox.project.next_steps import next_step
from toolbox.terminal.archived import body_text
from toolbox.terminal.nearest import nearest, unknown
from toolbox.terminal.output import DOES_NOT_HOLD, console, errors, print_json, print_table
from toolbox.watching.queues import queue_name, read_queue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from toolbox.dead_letters.redrive import GivenUpMessage
    from toolbox.deployments import RunningDeployment

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Queue = Annotated[
    str, typer.Argument(metavar="QUEUE", help="Its name, or its source's; 'redrive list' has them.")
]
_CUT = 500
_LOOKED_THROUGH = 10_000


def list_queues(
    *, stack: Stack = None, state: State = DEFAULT_STATE, as_json: Json = False
) -> None:
    """List the redrive queues, and how many messages each has."""
    where = find_deployment(state, stack)
    sqs = where.client("sqs")
    found = [
        read_queue(sqs, f"{url}{REDRIVE}", f"{name}{REDRIVE}") for name, url in _all(where, stack)
    ]
    if as_json:
        print_json(
            [
                {"queue": one.name, "messages": one.messages if one.is_there else None}
                for one in found
            ]
        )
        return
    rows = [(one.name, one.messages if one.is_there else "is missing") for one in found]
    print_table(f"{len(rows)} redrive queues", ("queue", "messages"), rows)


def show(
    queue: Queue,
    *,
    most: Annotated[int, typer.Option("--count", min=1, max=1_000, help="Show so many.")] = 10,
    full: Annotated[bool, typer.Option(help="Messages in full.")] = False,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Show messages of a redrive queue, and what MozDef's worker and index do with each.

    They stay where they are.
    """
    where = find_deployment(state, stack)
    with _open(where, stack, queue) as opened:
        documents = [_document(one, full=full) for one in islice(opened.messages(), most)]
    if as_json:
        print_json(documents)
        return
    for document in documents:
        for name, value in document.items():
            console.print(f"{name:<8} {value}")
        console.print()
    step = next_step(f"redrive back {shlex.quote(queue)} --all")
    console.print(f"{len(documents)} messages; '{step}' sends them to MozDef again")


def back(
    queue: Queue,
    identifiers: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="The beginning is enough.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every message.")] = False,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Move messages back to the queue that they came from, where MozDef reads them again.

    Mend first what MozDef could not do with them: after ten receives they are here again.

    Exit status: 0 each message that was named is moved, 1 one is not there.
    """
    wanted = tuple(identifiers or ())
    if bool(wanted) == everything:
        raise DeadLetterError("name the messages by their ids, or say --all")
    where = find_deployment(state, stack)
    moved, open_ids = [], set(wanted)
    with _open(where, stack, queue) as opened, errors.status("looking through the queue"):
        for message in islice(opened.messages(), None if everything else _LOOKED_THROUGH):
            meant = [one for one in wanted if message.id.startswith(one)]
            if everything or meant:
                opened.move_back(message)
                moved.append(message.id)
                open_ids -= set(meant)
                if not everything and not open_ids:
                    break
    if as_json:
        print_json({"moved": moved, "not_found": sorted(open_ids)})
    else:
        console.print(f"{len(moved):,} messages moved back")
        for one in sorted(open_ids):
            step = next_step(f"redrive show {shlex.quote(queue)}")
            errors.print(f"mozdef-ef: {one}: no such message; '{step}' has them")
    if open_ids:
        raise typer.Exit(DOES_NOT_HOLD)


def _open(where: RunningDeployment, stack: str | None, queue: str) -> RedriveQueue:
    known = dict(_all(where, stack))
    asked = queue.removesuffix(REDRIVE)
    found = [name for name in known if name == asked] or [
        name for name in known if name.endswith(f"-{asked}")
    ]
    if len(found) != 1:
        named = known if nearest(asked, known) else _short(known)
        raise unknown("queue", asked, found or named)
    url = known[found[0]]
    return RedriveQueue(where.client("sqs"), f"{url}{REDRIVE}", url)


def _short(names: Iterable[str]) -> list[str]:
    """Return names without what all of them begin with: the stack's."""
    known = list(names)
    same = os.path.commonprefix(known)  # noqa: RUF071 - of names, not of paths
    return [one[same.rfind("-") + 1 :] for one in known]


def _all(where: RunningDeployment, stack: str | None) -> Iterator[tuple[str, str]]:
    """Return the queues that MozDef reads, by name."""
    try:
        urls = _of_stack(where, stack) if stack else _here(where)
    except (BotoCoreError, ClientError) as error:
        raise DeadLetterError(f"{where.name}: its queues cannot be listed: {error}") from None
    yield from sorted((queue_name(url), url) for url in urls)


def _here(where: RunningDeployment) -> set[str]:
    pages = where.client("sqs").get_paginator("list_queues").paginate()
    urls = {url for page in pages for url in page.get("QueueUrls", [])}
    return {url for url in urls if f"{url}{REDRIVE}" in urls}


def _of_stack(where: RunningDeployment, stack: str) -> set[str]:
    (found,) = where.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    sources = json.loads(outputs.get(StackOutput.SOURCES, "{}"))
    return {str(url) for one in sources.values() for url in one["queues"].values()}


def _document(message: GivenUpMessage, *, full: bool) -> dict[str, Any]:
    from toolbox.explaining.meaning import fate_in_mozdef

    body = message.body.encode(errors="surrogatepass")
    return {
        "id": message.id,
        "sent": iso(message.sent),
        "MozDef": fate_in_mozdef(body).does,
        "message": body_text(body, None if full else _CUT),
    }
