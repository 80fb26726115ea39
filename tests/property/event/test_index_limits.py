"""To know how many objects and lists a body has spares looks at its values, and changes nothing."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.event.index_limits import MOST_LEVELS, fitting
from pipeline.event.json_text import containers_in

NAMES = st.sampled_from(["a", "b", "a.b", ".a", "a.", "", "x[{"])
BODIES = st.dictionaries(
    NAMES,
    st.recursive(
        st.none() | st.integers(0, 9) | st.sampled_from(["", "x", "[", "{}"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=12,
    ),
)


def _nested(levels: int) -> dict[str, Any]:
    return {"a": _nested(levels - 1)} if levels else {".a": 1}


@given(BODIES)
@example({"a": {"b": {".a": 1}}})
@example({"a": [[{".a": 1}], [{"b": 1}]]})
@example({"a": {"b": 1}, "b": {"a": {".a": 1}}})
@example(_nested(MOST_LEVELS - 1))
@example(_nested(MOST_LEVELS))
def test_a_body_is_fitted_alike_whether_its_containers_are_counted_or_not(
    body: dict[str, Any],
) -> None:
    text = orjson.dumps(body)
    counted = fitting(text, body, strict=True, containers=containers_in(text))
    assert counted == fitting(text, body, strict=True)
