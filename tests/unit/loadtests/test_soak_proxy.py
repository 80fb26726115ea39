"""How the fault proxy of a soak run tells services apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.session import Session
from microburst.detection import detect, host

from loadtests.soak.proxy import tell_by_signature

if TYPE_CHECKING:
    import pytest

SIGNED = "AWS4-HMAC-SHA256 Credential=a/20260101/us-west-2/sqs/aws4_request, SignedHeaders=host"


def test_a_service_is_known_without_the_models_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_endpoint_prefix_map", host._endpoint_prefix_map)
    tell_by_signature()
    monkeypatch.delattr(Session, "get_available_services")
    headers = {"Host": "127.0.0.1:4566", "Authorization": SIGNED}
    found = detect(headers, "POST", "/", {}, None)
    assert (found.service, found.region) == ("sqs", "us-west-2")
