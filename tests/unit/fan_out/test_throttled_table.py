"""A table whose provisioned capacity is too small for a while: events wait, and none is lost.

Amazon DynamoDB API reference, BatchGetItem and BatchWriteItem: what is beyond the capacity comes
back unprocessed, and a call of which nothing could be processed is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.bench import github, record, tally
from tests.support.fakes import FakeDynamoDb, client_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.bench import Bench

EVENTS = 200
UNITS = 2 * EVENTS  # a GitHub event has two items


class ProvisionedTable(FakeDynamoDb):
    """Takes so many units a second of each kind, by the clock of the bench; nothing is saved up."""

    def __init__(self, clock: Callable[[], float], units_per_second: float) -> None:
        super().__init__()
        self.units_per_second = units_per_second
        self._clock = clock
        self._since = {"read": clock(), "write": clock()}
        self.refused = 0

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, request),) = RequestItems.items()
        taken, left = self._split("read", request["Keys"])
        answer = super().batch_get_item(RequestItems={table: {**request, "Keys": taken}})
        return {**answer, "UnprocessedKeys": {table: {**request, "Keys": left}} if left else {}}

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, requests),) = RequestItems.items()
        taken, left = self._split("write", requests)
        super().batch_write_item(RequestItems={table: taken})
        return {"UnprocessedItems": {table: left} if left else {}}

    def _split(self, kind: str, wanted: list[Any]) -> tuple[list[Any], list[Any]]:
        now = self._clock()
        # What a second leaves unused is gone.
        self._since[kind] = max(self._since[kind], now - 1)
        allowed = int((now - self._since[kind]) * self.units_per_second)
        if not allowed:
            self.refused += 1
            raise client_error("ProvisionedThroughputExceededException")
        number = min(len(wanted), allowed)
        self._since[kind] += number / self.units_per_second
        return wanted[:number], wanted[number:]


def narrow(bench: Bench, units_per_second: float) -> ProvisionedTable:
    table = ProvisionedTable(lambda: bench.now, units_per_second)
    bench.dynamodb = table
    bench.new_process()
    return table


BATCH = [f"d-{number}" for number in range(EVENTS)]


def batch() -> list[dict[str, Any]]:
    return [record(github({"id": name}, event="x", delivery=name)) for name in BATCH]


def sent(bench: Bench) -> list[str]:
    return [one["details"]["github"]["id"] for one in bench.sqs.bodies()]


def test_a_batch_waits_for_the_capacity_and_is_settled_in_one_try(bench: Bench) -> None:
    table = narrow(bench, units_per_second=UNITS / 10)
    began = bench.now
    assert tally(bench.run(*batch()).outcomes) == {"delivered": EVENTS}
    assert table.refused
    # Ten seconds of reading and ten of writing, which go on side by side with nothing else.
    assert 10 <= bench.now - began <= 30
    assert sorted(sent(bench)) == sorted(BATCH)


def test_beyond_the_functions_time_the_mapping_tries_again_and_nothing_is_lost_or_doubled(
    bench: Bench,
) -> None:
    narrow(bench, units_per_second=UNITS / 45)  # reading alone takes most of the minute
    records = batch()
    first = bench.run(*records)
    assert first.checkpoint is not None
    assert tally(bench.run_until_settled(*records)) == {"delivered": EVENTS}
    assert sorted(sent(bench)) == sorted(BATCH)


def test_another_process_sends_again_only_what_was_sent_and_not_written_down(bench: Bench) -> None:
    """What throttling adds to the crash between sending and remembering; docs/cost.md says it."""
    table = narrow(bench, units_per_second=UNITS / 30)
    records = batch()
    first = bench.run(*records)
    assert first.checkpoint is not None
    assert sorted(sent(bench)) == sorted(BATCH), "all were read in time, and so sent"
    known = {item["id"]["S"] for item in table.items.values()}
    bench.new_process()
    table.units_per_second = UNITS
    assert tally(bench.run_until_settled(*records)) == {"delivered": EVENTS}
    assert set(sent(bench)) == set(BATCH), "none is lost"
    assert len(sent(bench)) - EVENTS == EVENTS - len(known) > 0, "none twice that the table had"
