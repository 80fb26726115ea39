"""To know a body's names spares looks for places that it has not, and changes no value."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.detail_fields import DetailFields
from pipeline.event.fields import ByNames
from pipeline.event.summary import SummaryTemplate

NAMES = st.sampled_from(["a", "b", "c", "type", "0"])
VALUES = st.sampled_from(["x", "y", "", None, True, 7, "10.0.0.1"])
BODIES = st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=3)) | st.lists(
    VALUES | st.dictionaries(NAMES, VALUES, max_size=3), max_size=2
)
TEMPLATES = [
    SummaryTemplate(text)
    for text in ("{source} {type}{?: {a.b|b|c.a|0.a}}{? by {$username|c}}", "{a|$keys} - {b}, {0}")
]
FIELDS = DetailFields(
    (
        ("username", ((("a",), {}, None), (("b", "a"), {}, None), (("c",), {}, None))),
        ("sourceipaddress", ((("0", "b"), {}, None), (("a",), {}, None))),
        ("success", ((None, {"x": True}, None), (("b",), {"y": False}, True), ((), {}, None))),
    )
)


class _All:
    """What `ByNames` stands in for: everything, whatever the body has."""

    def __init__(self, everything: Any) -> None:
        self._everything = everything

    def of(self, body: Any) -> Any:
        return self._everything


def _plainly(made: Any, everything: str, cache: str) -> Any:
    plain = object.__new__(type(made))
    plain.__dict__ |= {**vars(made), cache: _All(getattr(made, everything))}
    return plain


@given(BODIES, st.sampled_from(["", "x", "z"]))
def test_summary_and_fields_are_those_of_all_places(body: Any, event_type: str) -> None:
    fields = FIELDS.values(event_type, body)
    assert fields == _plainly(FIELDS, "_work", "_work_for").values(event_type, body)
    for template in TEMPLATES:
        plain = _plainly(template, "_fields", "_fields_for")
        line = template.render("s", event_type, body, fields)
        assert line == plain.render("s", event_type, body, fields)


def test_so_many_sets_of_names_are_kept_and_none_that_is_long() -> None:
    made: list[Any] = []
    kept = ByNames(lambda body: made.append(body) or len(made))  # type: ignore[func-returns-value]

    def is_kept(body: Any) -> bool:
        return kept.of(body) == kept.of(body)

    assert is_kept({"a": 1})
    assert kept.of({"a": 2}) == kept.of({"a": 3}) != kept.of({"b": 1})
    assert not is_kept(["a"])
    assert not is_kept(dict.fromkeys(map(str, range(61))))
    assert not is_kept({"a" * 2_001: 1})
    first = kept.of({"first": 1})
    for number in range(501):
        kept.of({f"n{number}": 1})
    assert kept.of({"first": 1}) != first
