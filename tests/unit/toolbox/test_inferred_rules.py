"""Rules that `source new` proposes for MozDef's index."""

from __future__ import annotations

from typing import Any

import pytest

from toolbox.sources.inference_rules import propose_rules


@pytest.mark.parametrize(
    ("events", "rules"),
    [
        ([{"a": 1, "b": {"c": "x"}}, {"a": "y", "b": {}}], []),
        ([{"a": {"b": 1}}, {"a": "x"}], [{"stringify": ["a"]}]),
        ([{"a": [False, {}]}], [{"stringify": ["a"]}]),
        ([{"a": ["", {}]}], [{"stringify": ["a"]}]),
        ([{"a": {"b": 1}}, {"a": "true"}], [{"stringify": ["a"]}]),
        ([{"a": ["", "x"]}, {"b": ["", True]}], []),
        ([{"x": {"ok": True}}, {"x": {"ok": "no"}}], [{"stringify": ["x.ok"]}]),
        ([{"x": {"ok": True}}, {"x": {"ok": "false"}}], []),
        ([{"by": {"4711": 1, "4712": 2}}], [{"stringify": ["by"]}]),
        ([{"x": {"by": {"alice@example.com": {"n": 1}}}}], [{"stringify": ["x.by"]}]),
        ([{"x": {"sha256": 1, "oauth2": 2, "ipv4": 3, "@timestamp": 4, "T1": 5}}], []),
        ([{"x": {"U024BE7LH": {"n": 1}}}], [{"stringify": ["x"]}]),
        ([{"x": {"acct_1032D82eZvKYlo2C": 1}}], [{"stringify": ["x"]}]),
        ([{"a.b": 1, "a": "x"}], [{"rename": r"a\.b", "to": "a_b"}, {"stringify": ["a"]}]),
        ([{"a.b": {"c": 1}}, {"a": {"b": "x"}}], [{"stringify": ["a.b", r"a\.b"]}]),
        ([{"4711": 1}], [{"stringify": ["."]}]),
        ([{"": {"x": {}}}, {"": {"x": 1}}], [{"stringify": ["*.x"]}]),
    ],
)
def test_what_conflicts_or_has_no_end_becomes_a_text(
    events: list[Any], rules: list[dict[str, Any]]
) -> None:
    assert propose_rules(events) == rules
