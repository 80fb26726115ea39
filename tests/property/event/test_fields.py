"""Looking up many paths at once gives what looking up each of them gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.fields import PathSet, as_text, find

PARTS = st.sampled_from(["a", "b", "c", "0", "1", "é"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PARTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(st.lists(PARTS, max_size=4).map(tuple), max_size=12), BODIES)
def test_many_paths_at_once(paths: list[tuple[str, ...]], body: object) -> None:
    assert PathSet(paths).texts(body) == [as_text(find(body, path)) for path in paths]
