"""Tickets that go without a replay: who said so, when and why is kept in the archive."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pipeline.archive.keys import DISMISSED_PREFIX
from pipeline.replay.job import JobStore
from pipeline.replay.times import iso
from toolbox.dead_letters.queue import DeadLetterError
from toolbox.dead_letters.reading import read_ticket

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolbox.dead_letters.queue import DeadLetters, Ticket
    from toolbox.deployments import RunningDeployment


def said_reason(reason: str) -> str:
    """Return why tickets are dismissed.

    Raises
    ------
    DeadLetterError
        When nothing was said.
    """
    if not reason.strip():
        raise DeadLetterError("--reason: say why nothing needs to be done")
    return reason.strip()


def dismiss_ticket(
    where: RunningDeployment,
    queue: DeadLetters,
    ticket: Ticket,
    reason: str,
    lacks: Callable[[str], None],
) -> dict[str, Any]:
    """Delete a ticket; return what the archive keeps of it.

    Parameters
    ----------
    lacks : Callable[[str], None]
        Is told what cannot be read of its cause.

    Raises
    ------
    PipelineError
        When that cannot be written, or the ticket cannot be deleted.
    """
    document = {
        "ticket": read_ticket(where, ticket, lacks),
        "who": where.who(),
        "when": iso(time.time()),
        "reason": said_reason(reason),
    }
    # Written first: a ticket must not go without a word about it.
    JobStore(where.client("s3"), where.archive_bucket).write(dismissed_key(ticket), document)
    queue.delete(ticket)
    return document


def dismissed_key(ticket: Ticket) -> str:
    """Return the key of what is kept of a ticket that was dismissed."""
    return f"{DISMISSED_PREFIX}{ticket.id}.json"
