"""The steps of an event without services: from a record to a valid event."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline.event.parsing import identify, open_record, parse_body
from pipeline.event.signatures import verify
from pipeline.event.splitting import split
from pipeline.event.validation import validate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.event.compiled_source import Catalog
    from pipeline.event.events import Event, Outcomes, Record
    from pipeline.event.secrets import SecretsOf


def examine(
    records: Iterable[Record], outcomes: Outcomes, catalog: Catalog, secrets_of: SecretsOf | None
) -> list[Event]:
    """Take records from the stream to the schema: envelope, signature, body, identity.

    Parameters
    ----------
    outcomes : Outcomes
        Takes the outcome of each that does not go on.
    secrets_of : SecretsOf | None
        None where no signature is to be checked.

    Returns
    -------
    list[Event]
        Those that are valid; a request that was split has one for each of its events.
    """
    events = outcomes.open(records, partial(open_record, catalog=catalog))
    if secrets_of is not None:
        events = outcomes.each(events, partial(verify, secrets_of=secrets_of))
    events = outcomes.each(events, parse_body)
    events = split(events, outcomes)
    events = outcomes.each(events, identify)
    return outcomes.each(events, validate)
