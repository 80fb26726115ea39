"""Drafts of messages, and how many records go together, change nothing that anybody sees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.event import steps
from pipeline.event.compiled_source import Catalog
from pipeline.runtime.metrics import count
from tests.property.fan_out.test_fan_out import RECORDS
from tests.support.bench import Bench, github, record

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bodies and ids that come again, and times that are none.
AGAIN = st.builds(
    github,
    st.sampled_from([{"ts": 1_795_464_000}, {"ts": "none"}, {"n": "\ufffe"}]),
    event=st.sampled_from(["x", "y"]),
    delivery=st.sampled_from(["d-1", "d-2"]),
    force=st.booleans(),
)
BATCHES = st.lists(AGAIN.map(lambda data: [data]) | RECORDS, max_size=6)


def with_time(catalog: Catalog) -> Catalog:
    """The same, where the time of an event of GitHub is at `ts`."""
    source = catalog.sources["github"]
    timed = replace(source, mozdef=replace(source.mozdef, timestamps=(("ts",),)))
    return Catalog({**catalog.sources, "github": timed})


def seen(catalog: Catalog, batches: Sequence[Sequence[dict[str, Any]]]) -> list[Any]:
    """Everything that leaves the fan-out, or tells of it."""
    bench, found = Bench(with_time(catalog)), list[Any]()
    for batch in batches:
        outcomes = bench.run(*batch).outcomes
        told = [
            (one.event.place, one.kind, one.reason, one.explanation, one.event.time_not_understood)
            for one in outcomes
        ]
        found += [sorted(told, key=str), count(outcomes)]
    return [*found, bench.sqs.messages, bench.dynamodb.items, bench.s3.objects]


@given(first=BATCHES, second=BATCHES, together=st.integers(1, 3))
@settings(max_examples=80)
def test_what_is_seen_is_the_same_with_drafts_and_without(
    catalog: Catalog, first: list[list[bytes]], second: list[list[bytes]], together: int
) -> None:
    batches = [[record(data) for some in batch for data in some] for batch in (first, second)]
    with patch.object(steps, "draft", lambda _: None):
        expected = seen(catalog, batches)
    with patch.object(steps, "TOGETHER", together):
        assert seen(catalog, batches) == expected
