"""Event ids: whatever they are made of, they read back as that."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.event.event_id import EventId, element_id, request_id, request_of

#: What API Gateway and the poller make.
REAL = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-", min_size=1)
#: What may stand in an envelope that someone else put on the stream.
ANY = st.one_of(st.text(), st.text("a1@#%2305", max_size=12))
IDS = st.builds(EventId, ANY, ANY, st.none() | st.integers(0, 10**18 - 1))


@given(IDS)
@example(EventId("a#1", "b@c", 2))
@example(EventId("a%231"))
@example(EventId("a\nb", "j\n", 0))
def test_an_id_reads_back_as_what_it_was_made_of(event_id: EventId) -> None:
    assert EventId.parse(str(event_id)) == event_id


@given(REAL, REAL, st.integers(0, 10_000))
def test_real_ids_are_written_as_they_are(envelope: str, job: str, element: int) -> None:
    assert str(EventId(envelope)) == envelope
    assert str(EventId(envelope, job)) == f"{envelope}@{job}"
    assert str(EventId(envelope, "", element)) == f"{envelope}#{element}"
    assert str(EventId(envelope, job, element)) == f"{envelope}@{job}#{element}"


@given(ANY, ANY, st.integers(0, 10_000))
def test_the_events_of_a_request_share_its_id(envelope: str, job: str, element: int) -> None:
    request = request_id(envelope, job)
    assert request_of(element_id(request, element)) == request
    assert request_of(request) == request
    assert EventId(envelope, job, element).request == request


@given(st.text())
@pytest.mark.parametrize("form", ["{}@b@c", "{}#1#2", "{}#x", "{}#", "{}@", "{}#007", "{}#1@b"])
def test_text_of_another_form_is_an_envelopes_id(form: str, text: str) -> None:
    whole = form.format(text)
    assert EventId.parse(whole) == EventId(whole)
