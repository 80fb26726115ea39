"""Looking up many paths at once gives what looking up each of them gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.fields import PathSet, find

PARTS = st.sampled_from(["a", "b", "c", "0", "1", "é"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PARTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(st.lists(PARTS, max_size=4).map(tuple), max_size=12), BODIES)
def test_many_paths_at_once(paths: list[tuple[str, ...]], body: object) -> None:
    one_by_one = {
        place: value
        for place, path in enumerate(paths)
        if isinstance(value := find(body, path), str | int | float) and value != ""
    }
    assert PathSet(paths).scalars(body) == one_by_one
