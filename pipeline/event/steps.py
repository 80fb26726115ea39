"""The steps of an event without services: from a record to a valid event."""

from __future__ import annotations

from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING

from pipeline.event.events import Event
from pipeline.event.mozdef_event import draft_message
from pipeline.event.parsing import identify, open_record, parse_body
from pipeline.event.signatures import verify
from pipeline.event.splitting import split
from pipeline.event.validation import validate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.event.compiled_source import Catalog
    from pipeline.event.events import Outcomes, Record
    from pipeline.event.secrets import SecretsOf

#: So many records go through the steps together. The bodies of more, parsed, are not in the
#: processor's cache any more when the next step looks at them.
TOGETHER = 100


def examine(
    records: Iterable[Record],
    outcomes: Outcomes,
    catalog: Catalog,
    secrets_of: SecretsOf | None,
    *,
    drafts: bool = False,
) -> list[Event]:
    """Take records from the stream to the schema: envelope, signature, body, identity.

    Parameters
    ----------
    outcomes : Outcomes
        Takes the outcome of each that does not go on.
    secrets_of : SecretsOf | None
        None where no signature is to be checked.
    drafts : bool
        Whether their messages are written ahead, while the parsed bodies are at hand.

    Returns
    -------
    list[Event]
        Those that are valid; a request that was split has one for each of its events.
    """
    reading, valid = iter(records), list[Event]()
    for first in reading:
        # Not as a list: each record is let go when its event is there.
        together = chain((first,), islice(reading, TOGETHER - 1))
        events = outcomes.open(together, partial(open_record, catalog=catalog))
        if secrets_of is not None:
            events = outcomes.each(events, partial(verify, secrets_of=secrets_of))
        events = outcomes.each(events, parse_body)
        events = split(events, outcomes)
        events = outcomes.each(events, identify)
        events = outcomes.each(events, validate)
        if drafts:
            draft(events)
        valid += events
    return valid


def draft(events: Sequence[Event]) -> None:
    """Write messages ahead, and let the parsed bodies go, which are far larger than those."""
    for event in events:
        draft_message(event)
    # In a loop of its own: to free them between the messages takes longer.
    for event in events:
        event.let_go()
