"""Discord takes nothing but 204 without a body for an event that came, as its library answers."""

from __future__ import annotations

from settings.source.loader import CATALOG, read_source_settings


def test_events_are_acknowledged_without_a_body() -> None:
    answer = read_source_settings(CATALOG / "discord").answer
    assert answer is not None
    assert (answer.status, answer.body) == (204, "")
