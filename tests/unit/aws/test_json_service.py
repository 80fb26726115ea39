"""Which errors of a JSON service are worth another call."""

from __future__ import annotations

import pytest
from botocore.exceptions import ConnectionClosedError, HTTPClientError

from pipeline.aws.json_service import client_error, may_pass


@pytest.mark.parametrize(
    ("status", "code", "again"),
    [
        (500, "InternalServerError", True),
        (501, "InternalFailure", True),
        (503, "ServiceUnavailable", True),
        (499, "500", False),
        (400, "ValidationException", False),
        (400, "ThrottlingException", True),
        (400, "ProvisionedThroughputExceededException", True),
        (400, "LimitExceededException", True),
        (400, "KMSThrottlingException", True),
        (400, "RequestLimitExceeded", True),
        (403, "AccessDeniedException", False),
    ],
)
def test_the_services_own_fault_and_a_throttle_may_pass(
    status: int, code: str, again: bool
) -> None:
    assert may_pass(client_error("PutRecord", status, code, "")) is again


def test_no_answer_at_all_may_pass() -> None:
    assert may_pass(ConnectionClosedError(endpoint_url="http://127.0.0.1"))
    assert may_pass(HTTPClientError(error="no JSON object"))
