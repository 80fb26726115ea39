"""What the receiver says, what only its log says, and how it reads a request's body."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.event.outcomes import Verdict
from pipeline.event.secrets import SecretError
from pipeline.receiving.answers import Answer, accepted, denied, unavailable
from pipeline.receiving.handshake import answer_handshake
from pipeline.receiving.request import read_request
from pipeline.runtime.secret_store import MAX_AGE_SECONDS, SecretStore
from tests.support.bench import SECRET
from tests.support.clock import FakeClock
from tests.support.fakes import FakeSsm
from tests.support.receiving import compile_sources, meeting, proxy_event

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

NAME = "/P/meetings/dev/signing_secret"


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    import sys

    return compile_sources(tmp_path_factory.mktemp("answers"), "catalog_of_answers", sys.path)


def test_an_answer_has_the_form_of_a_lambda_proxy_integration() -> None:
    assert accepted("r-1").response() == {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": '{"status":"accepted","id":"r-1"}',
        "isBase64Encoded": False,
    }
    assert Answer(200, {"a": "b"}, Verdict.HANDSHAKE).response()["body"] == '{"a":"b"}'


def test_only_what_may_work_later_says_when() -> None:
    response = unavailable("the stream is throttled").response()
    assert (response["statusCode"], response["headers"]["Retry-After"]) == (503, "1")
    assert "Retry-After" not in denied(413, "too_large", "It is.").response()["headers"]


def test_what_an_operator_wants_to_know_is_not_in_the_answer() -> None:
    answers = [denied(401, "bad_signature", "No.", "internal"), unavailable("internal")]
    for answer, error in zip(answers, ("bad_signature", "unavailable"), strict=True):
        assert (answer.reason, answer.explanation) == (error, "internal")
        body = json.loads(answer.response()["body"])
        assert (body["status"], body["error"]) == ("error", error)
        assert "internal" not in answer.response()["body"]
    assert [answer.verdict for answer in answers] == [Verdict.DENIED, Verdict.UNAVAILABLE]


def test_what_was_taken_has_nothing_to_explain() -> None:
    for answer in (accepted("r-1"), Answer(200, {}, Verdict.HANDSHAKE)):
        assert (answer.status, answer.reason, answer.explanation) == (200, "", "")
    assert denied(403, "forbidden", "No.").explanation == ""


@pytest.mark.parametrize(
    ("body", "is_base64", "content"),
    [
        ("e30=", True, b"{}"),
        ("e30=", False, b"e30="),
        ('{"a":"\u00fc"}', False, b'{"a":"\xc3\xbc"}'),
        ("\ud800", False, b"?"),
        (None, False, b""),
        ("", True, b""),
    ],
)
def test_a_body_is_base64_where_the_gateway_says_so(
    private: Catalog, body: str | None, is_base64: bool, content: bytes
) -> None:
    event = proxy_event("chat") | {"body": body, "isBase64Encoded": is_base64}
    assert read_request(event, private.sources["chat"]).body == content


def test_a_body_is_text_where_the_gateway_says_nothing(private: Catalog) -> None:
    event = proxy_event("chat") | {"body": "e30="}
    del event["isBase64Encoded"]
    assert read_request(event, private.sources["chat"]).body == b"e30="


def test_a_secret_that_is_rotated_while_a_handshake_is_answered_decides_nothing(
    private: Catalog,
) -> None:
    ssm, clock = FakeSsm({NAME: SECRET}), FakeClock()
    store = SecretStore(ssm, "P", "dev", clock)
    body = b'{"event":"url_validation","payload":{"plainToken":"token"}}'
    event = proxy_event("meetings", body, meeting(body))
    request = read_request(event, private.sources["meetings"])
    answer = answer_handshake(request, store)
    assert answer is not None
    assert answer.verdict is Verdict.HANDSHAKE
    ssm.parameters[NAME] = "another"
    clock.advance(MAX_AGE_SECONDS)
    with pytest.raises(SecretError, match="meetings: the signing secret changed"):
        answer_handshake(request, store)
    other = replace(request, body=b"{}")
    assert answer_handshake(other, store) is None, "an event is no handshake"
