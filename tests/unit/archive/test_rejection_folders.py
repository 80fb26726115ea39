"""In which folder a rejected event lies: `rejected/`, of which tickets are made, or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.archive.rejections import RejectionFolders
from pipeline.event.envelope import Envelope
from pipeline.event.events import Event, Outcome, rejected
from pipeline.event.outcomes import Reason
from tests.support.fakes import FIRST_SEQUENCE_NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.event.compiled_source import Catalog

    Make = Callable[..., Outcome]

#: 2026-11-23T00:00:00Z, so that a day begins there.
MIDNIGHT = 1_795_392_000
DAY = 86_400
#: docs/operating.md and docs/security.md promise so many.
TICKETS = 5


@pytest.fixture
def made(catalog: Catalog) -> Make:
    def make(
        sequence: int,
        *,
        source: str = "github",
        arrived: float = MIDNIGHT,
        reason: Reason = Reason.SECRET_UNAVAILABLE,
    ) -> Outcome:
        number = str(FIRST_SEQUENCE_NUMBER + sequence)
        envelope = Envelope(f"r-{sequence}", int(arrived * 1000), source, "192.0.2.1", b"{}")
        event = Event(
            number, "shardId-0", arrived, envelope, catalog.sources[source], envelope.id, number
        )
        return rejected(event, reason, "")

    return make


def prefixes(folders: RejectionFolders, *batch: Outcome) -> list[str]:
    folder_of = folders.of(batch)
    return [folder_of(outcome).partition("/")[0] for outcome in batch]


def fill(made: Make, folders: RejectionFolders) -> None:
    """Five batches of an unverified event each."""
    for sequence in range(TICKETS):
        assert prefixes(folders, made(sequence)) == ["rejected"]


def test_the_sixth_batch_of_a_source_and_day_makes_no_ticket(made: Make) -> None:
    folders = RejectionFolders()
    fill(made, folders)
    assert prefixes(folders, made(5), made(6)) == ["quarantine", "quarantine"]


def test_a_batch_that_is_tried_again_lies_where_it_lay(made: Make) -> None:
    folders = RejectionFolders()
    fill(made, folders)
    assert prefixes(folders, made(5)) == ["quarantine"]
    for _ in range(2):
        for sequence in range(TICKETS):
            assert prefixes(folders, made(sequence)) == ["rejected"]
        assert prefixes(folders, made(5)) == ["quarantine"]


def test_a_batch_that_is_tried_again_counts_once(made: Make) -> None:
    folders = RejectionFolders()
    for _ in range(2 * TICKETS):
        assert prefixes(folders, made(0)) == ["rejected"]
    fill(made, folders)


def test_a_batch_is_known_by_its_least_number_in_whatever_order_it_comes(made: Make) -> None:
    """The numbers of 3 and 4 have one digit more than those before: as text they are less."""
    folders = RejectionFolders()
    batch = [made(sequence) for sequence in (4, 2, 3)]
    assert prefixes(folders, *batch) == ["rejected"] * 3
    for sequence in range(10, 10 + TICKETS - 1):
        assert prefixes(folders, made(sequence)) == ["rejected"]
    assert prefixes(folders, *batch[::-1]) == ["rejected"] * 3
    assert prefixes(folders, made(2)) == ["rejected"]
    assert prefixes(folders, made(20)) == ["quarantine"]


def test_another_source_and_another_day_have_tickets_of_their_own(made: Make) -> None:
    folders = RejectionFolders()
    fill(made, folders)
    last, next_day = MIDNIGHT + DAY - 0.001, MIDNIGHT + DAY
    assert prefixes(folders, made(5, arrived=last)) == ["quarantine"]
    assert prefixes(folders, made(5, arrived=next_day)) == ["rejected"]
    assert prefixes(folders, made(5, source="generic")) == ["rejected"]
    batch = made(6), made(6, source="generic"), made(6, arrived=next_day)
    assert prefixes(folders, *batch) == ["quarantine", "rejected", "rejected"]


def test_only_what_cannot_be_verified_counts_and_is_kept_apart_by_it(made: Make) -> None:
    folders = RejectionFolders()
    for sequence in range(20):
        violation = made(sequence, reason=Reason.SCHEMA_VIOLATION)
        forged = made(sequence, reason=Reason.BAD_SIGNATURE)
        assert prefixes(folders, violation, forged) == ["rejected", "quarantine"]
    fill(made, folders)
    batch = made(5), made(6, reason=Reason.SCHEMA_VIOLATION), made(7, reason=Reason.BAD_SIGNATURE)
    assert prefixes(folders, *batch) == ["quarantine", "rejected", "quarantine"]


def test_a_folder_is_of_one_source_and_hour(made: Make) -> None:
    outcome = made(0, source="generic", arrived=MIDNIGHT + 5 * 3600)
    folder = RejectionFolders().of([outcome])(outcome)
    assert folder == "rejected/source=generic/dt=2026-11-23/hr=05/"


def test_a_thousand_sources_and_days_are_in_mind_and_no_more(made: Make) -> None:
    """What a process remembers is bounded, however long it lives: the oldest goes first."""
    folders = RejectionFolders()
    fill(made, folders)
    for day in range(1, 1_000):
        assert prefixes(folders, made(5, arrived=MIDNIGHT + day * DAY)) == ["rejected"]
    assert prefixes(folders, made(5)) == ["quarantine"], "the thousandth of them"
    assert prefixes(folders, made(5, arrived=MIDNIGHT + 1_000 * DAY)) == ["rejected"]
    assert prefixes(folders, made(5)) == ["rejected"], "it begins anew"
