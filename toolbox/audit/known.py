"""What is known of events that the ledger lacks: failure records, and the deduplication table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.event.envelope import encode_envelope
from pipeline.event.events import Event, Outcomes, Record
from pipeline.event.identity import reused_key
from pipeline.event.outcomes import OutcomeKind
from pipeline.event.parsing import identify, open_record, parse_body
from pipeline.event.splitting import split
from toolbox.audit.ids import IdsOnDisk
from toolbox.audit.join import DELIVERED, FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.archive.lines import ArchivedEvent, Received
    from pipeline.event.compiled_source import Catalog
    from pipeline.event.envelope import Envelope
    from toolbox.seams import KeyedTable


_GIVEN_UP = "given up"


class KnownElsewhere:
    """Answers for events that have no line in the ledger.

    Parameters
    ----------
    failed : Iterable[str]
        Ids of the events in the failure records of the mappings. They are kept on disk: in an
        incident there are millions.
    """

    def __init__(self, failed: Iterable[str], delivered: Callable[[Received], bool]) -> None:
        self._failed = IdsOnDisk()
        for request in failed:
            self._failed.add(_GIVEN_UP, request)
        self._delivered = delivered

    def outcome(self, event: Received) -> str | None:
        """Return `delivered` or `failed`; None where nothing is known."""
        if self._delivered(event):
            return DELIVERED
        return FAILED if self.given_up(event.id) else None

    def given_up(self, request: str) -> bool:
        """Tell whether a mapping gave a request up, and kept it in a failure record."""
        return self._failed.holds(_GIVEN_UP, request)


class TableCheck:
    """Looks an event up in the deduplication table, while its window lasts."""

    def __init__(
        self,
        dynamodb: KeyedTable,
        table: str,
        catalog: Catalog,
        event_of: Callable[[Received], ArchivedEvent | None],
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._catalog = catalog
        self._event_of = event_of

    def delivered(self, received: Received) -> bool:
        """Tell whether each part of an event was delivered, and by this event."""
        event = self._event_of(received)
        if event is None or event.envelope is None:
            return False
        parts = parts_of(event.envelope, self._catalog)
        return bool(parts) and all(self._remembered(part) for part in parts)

    def _remembered(self, event: Event) -> bool:
        # An event with the id of another one has a key of its own.
        return any(
            self._delivered_as(key) == event.id
            for key in (event.deduplication_key, reused_key(event))
        )

    def _delivered_as(self, key: str) -> str | None:
        answer: Mapping[str, Any] = self._dynamodb.get_item(
            TableName=self._table, Key={"pk": {"S": key}}
        )
        found: str | None = answer.get("Item", {}).get("id", {}).get("S")
        return found


def parts_of(envelope: Envelope, catalog: Catalog) -> list[Event]:
    """Return an envelope's events as the fan-out sees them; none where it would refuse one."""
    catalog.get(envelope.source)  # one that cannot be read is not this event's fault
    steps = Outcomes()
    record = Record("0", "", 0.0, encode_envelope(envelope))
    events = steps.open([record], lambda one: open_record(one, catalog))
    events = split(steps.each(events, parse_body), steps)
    events = steps.each(events, identify)
    refused = any(outcome.kind is OutcomeKind.REJECTED for outcome in steps.all)
    return [] if refused else events
