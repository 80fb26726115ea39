"""What the pages of tickets show, and what their forms do."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pipeline.errors import PipelineError
from pipeline.event.outcomes import Reason
from pipeline.replay.engine import REPLAY_LIMIT
from toolbox.console.replays.data import why_of, windows_for
from toolbox.dead_letters.choice import TicketChoice
from toolbox.dead_letters.dismissing import dismiss_ticket
from toolbox.dead_letters.listing import group_causes
from toolbox.dead_letters.queue import find_ticket
from toolbox.dead_letters.reading import (
    event_documents,
    open_queue,
    quarantined,
    read_ticket,
    summarized,
    ticket_document,
)
from toolbox.dead_letters.replaying import keeper, plan_of_tickets, replay_tickets
from toolbox.replaying.plan import sending

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from toolbox.console.replays.running import ConsoleReplay
    from toolbox.console.scene import ConsoleScene
    from toolbox.dead_letters.listing import CauseGroup
    from toolbox.dead_letters.queue import Ticket
    from toolbox.dead_letters.summary import Summary

#: Tickets that one page lists, objects that it reads for them, and events of one that it shows.
MOST_LISTED, MOST_READ, MOST_EVENTS = 200, 1_000, 100
_CUT = 2_000
#: A look hides the tickets from another one, so there is one at a time.
_LOOKING = Lock()
LOOK_SECONDS = 10
#: What narrows the list; all of it is in the address.
FILTERS = ("source", "reason", "text")
_LONGEST_FILTER = 300


class TicketsHeldError(PipelineError):
    """Something of this console holds the tickets."""


class TicketsLeftError(PipelineError):
    """Some of the tickets that were chosen remain."""


@contextmanager
def _one_look() -> Iterator[None]:
    if not _LOOKING.acquire(timeout=LOOK_SECONDS):
        raise TicketsHeldError(
            "a replay of this console holds the tickets, and gives them back when it ends; see it "
            "under Replay"
        )
    try:
        yield
    finally:
        _LOOKING.release()


@dataclass(frozen=True)
class TicketsPage:
    """The tickets that fit, by cause and each.

    Parameters
    ----------
    asked : Mapping[str, str]
        The filters, as they are in the address.
    total : int
        All that there are, whether they fit or not.
    notes : tuple[str, ...]
        What was not read, and why.
    """

    asked: Mapping[str, str]
    total: int
    groups: tuple[CauseGroup, ...]
    tickets: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    quarantine: bool
    sources: tuple[str, ...]

    #: Of the form.
    reasons = tuple(sorted(Reason))

    @property
    def address(self) -> str:
        """Where this list is."""
        return list_address({**self.asked, "quarantine": "1" if self.quarantine else ""})

    def document(self) -> dict[str, Any]:
        """Return what the JSON twin has."""
        groups = [{**one._asdict(), "cause": one.cause._asdict()} for one in self.groups]
        left = {name: value for name, value in asdict(self).items() if name != "sources"}
        return {**left, "groups": groups}


@dataclass(frozen=True)
class ShownTicket:
    """One ticket with the first of its events.

    Parameters
    ----------
    types : tuple[tuple[str, str], ...]
        Source and type of the events that broke a schema.
    """

    ticket: dict[str, Any]
    events: tuple[dict[str, Any], ...]
    types: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    quarantine: bool


def list_address(asked: Mapping[str, str]) -> str:
    """Return the address of a list with these filters."""
    given = {name: asked[name] for name in (*FILTERS, "quarantine") if asked.get(name)}
    return f"/tickets?{urlencode(given)}" if given else "/tickets"


def all_tickets(scene: ConsoleScene) -> list[Ticket]:
    """Return the tickets; a page that is looked at deletes nothing."""
    with _one_look(), open_queue(scene.where, sweeps=False) as queue:
        return queue.tickets


def _all(scene: ConsoleScene, *, quarantine: bool, notes: list[str]) -> list[Ticket]:
    return quarantined(scene.where, notes.append) if quarantine else all_tickets(scene)


def read_tickets(
    scene: ConsoleScene, query: Mapping[str, str], *, quarantine: bool = False
) -> TicketsPage:
    """Read the tickets that fit the filters; of the oldest ones the objects, too."""
    asked = {name: query.get(name, "").strip()[:_LONGEST_FILTER] for name in FILTERS}
    notes: list[str] = []
    tickets = _all(scene, quarantine=quarantine, notes=notes)
    source, reason = (tuple(filter(None, [asked[name]])) for name in ("source", "reason"))
    choice = TicketChoice(source, reason)
    may_fit = [one for one in tickets if choice.may_fit(one)]
    read = summarized(scene.where, may_fit[:MOST_READ], notes.append)
    fitting = (one for one in read if choice.fits(one[1]) and _says(one, asked["text"]))
    found = list(islice(fitting, MOST_LISTED))
    if len(may_fit) > (MOST_LISTED if len(found) == MOST_LISTED else MOST_READ):
        notes.append(
            f"{len(may_fit):,} may fit; of the oldest {MOST_READ:,} of them the first "
            f"{MOST_LISTED} that do are told apart and listed here"
        )
    documents = tuple(ticket_document(*one) for one in found)
    sources = tuple(sorted({*scene.folders(), *filter(None, [asked["source"]])}))
    groups = tuple(group_causes(found))
    return TicketsPage(asked, len(tickets), groups, documents, tuple(notes), quarantine, sources)


def _says(one: tuple[Ticket, Summary], text: str) -> bool:
    ticket, summary = one
    return text.casefold() in f"{ticket.id} {ticket.key} {summary.why}".casefold()


def read_one(scene: ConsoleScene, name: str, *, quarantine: bool) -> ShownTicket:
    """Read one ticket and the first of its events."""
    notes: list[str] = []
    ticket = find_ticket(_all(scene, quarantine=quarantine, notes=notes), name)
    events = tuple(islice(event_documents(scene.where, ticket, _CUT), MOST_EVENTS + 1))
    if len(events) > MOST_EVENTS:
        notes.append(f"the first {MOST_EVENTS} of its events are shown")
    broken = {
        (one["source"], one["event_type"])
        for one in events
        if one.get("reason") == Reason.SCHEMA_VIOLATION
    }
    document = read_ticket(scene.where, ticket, notes.append)
    shown = events[:MOST_EVENTS]
    return ShownTicket(document, shown, tuple(sorted(broken)), tuple(notes), quarantine)


def chosen(names: Sequence[str]) -> Sequence[str]:
    """Return the tickets that a form names.

    Raises
    ------
    TicketsLeftError
        When it names none.
    """
    if not names:
        raise TicketsLeftError("no ticket was chosen: mark those that are meant")
    return names


def dismiss(scene: ConsoleScene, names: Sequence[str], asked: Mapping[str, str]) -> None:
    """Delete tickets; who did so and why is kept in the archive for each.

    Raises
    ------
    TicketsLeftError
        When some remain; the others are gone.
    """
    why, left = why_of(asked), list[str]()
    with _one_look(), open_queue(scene.where) as queue:
        for name in chosen(names):
            try:
                dismiss_ticket(scene.where, queue, queue.find(name), why, lambda _: None)
            except PipelineError as error:
                left.append(f"{name[:40]} remains: {error}")
    if left:
        done = len(names) - len(left)
        raise TicketsLeftError("\n".join([f"{done} of {len(names)} are dismissed", *left]))


def replay(
    scene: ConsoleScene, names: Sequence[str], asked: Mapping[str, str], told: ConsoleReplay
) -> None:
    """Replay tickets; the queue's others are hidden until it ends."""
    options = {"rate": None, "limit": REPLAY_LIMIT, "force": False, "why": why_of(asked)}
    with _one_look(), open_queue(scene.where) as queue:
        tickets = [queue.find(name) for name in chosen(names)]
        plan = plan_of_tickets(scene.where, tickets, options, windows_for(scene))
        told.begun.set_result(plan.job)
        stop, history = told.stop_wanted, plan.needed_history()
        with sending(plan, history, stop, on_tick=keeper(queue), show=told.show) as replayer:
            results = replay_tickets(plan, replayer, queue, tickets, stop)
        left = [f"{name} remains: {why}" for name, why in results.items() if why]
        told.failure = "; ".join(left)
