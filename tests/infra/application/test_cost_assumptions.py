"""What `mozdef-ef cost` takes for granted of a stack, and the template that has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.application.access_log import ACCESS_LOG, FULL_ACCESS_LOG
from toolbox.costs.prices import load_prices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.infra.conftest import Synthesized

PRICES = load_prices()
#: What CloudWatch counts beside a line's text (CloudWatch Logs API reference, PutLogEvents).
BESIDE_A_LINE = 26
#: As API Gateway Developer Guide's examples have them, and usual lengths.
LINE = {
    "$context.extendedRequestId": "JKJaXmPLvHcESHA=",
    "$context.requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    "$context.requestTimeEpoch": "1583349317135",
    "$context.identity.sourceIp": "203.0.113.145",
    "$context.httpMethod": "POST",
    "$context.resourcePath": "/github",
    "$context.status": "200",
    "$context.error.responseType": "-",
    "$context.authorizer.status": "-",
    "$context.integration.status": "200",
    "$context.integration.latency": "12",
    "$context.responseLatency": "18",
    "$context.responseLength": "27",
}


@pytest.mark.parametrize(("form", "fields"), [("short", ACCESS_LOG), ("full", FULL_ACCESS_LOG)])
def test_a_line_of_the_access_log_has_the_bytes_that_are_billed(
    form: str, fields: Mapping[str, str]
) -> None:
    written = json.dumps(
        {name: LINE[value] for name, value in fields.items()}, separators=(",", ":")
    )
    billed = PRICES.assume(f"access_log_{form}_bytes")
    assert len(written) + BESIDE_A_LINE == pytest.approx(billed, abs=1)


def test_the_stages_log_is_as_short_as_that(stack: Synthesized) -> None:
    _, stage = stack.one("AWS::ApiGateway::Stage")
    assert json.loads(stage["AccessLogSetting"]["Format"]) == ACCESS_LOG
    assert " " not in stage["AccessLogSetting"]["Format"]


def test_the_web_acl_of_one_source_has_as_many_rules(stack: Synthesized) -> None:
    _, acl = stack.one("AWS::WAFv2::WebACL")
    assert len(acl["Rules"]) == PRICES.assume("web_acl_rules")


def test_functions_have_the_memory_that_is_billed(
    received: Synthesized, stack: Synthesized
) -> None:
    for name, assumed, found in (
        ("FanOut", "function_gb", stack),
        ("Archiver", "function_gb", stack),
        ("Reconciler", "reconciler_gb", stack),
        ("Receiver", "receiver_gb", received),
        ("Poller", "poller_gb", received),
    ):
        _, function = found.one("AWS::Lambda::Function", name)
        memory = PRICES.assume(assumed)
        assert function["MemorySize"] == pytest.approx(memory * 1_024, rel=0.03), name


def test_one_request_a_second_is_traced(stack: Synthesized) -> None:
    _, rule = stack.one("AWS::XRay::SamplingRule")
    assert rule["SamplingRule"]["ReservoirSize"] == PRICES.assume("traces_per_second")
    assert rule["SamplingRule"]["FixedRate"] == 0


def test_dashboards_and_keys_are_counted(stack: Synthesized) -> None:
    assert len(stack.all("AWS::CloudWatch::Dashboard")) == PRICES.assume("dashboards")
    assert len(stack.all("AWS::KMS::Key")) == PRICES.assume("kms_keys")


def test_a_receive_waits_as_long(stack: Synthesized) -> None:
    waits = {
        queue["ReceiveMessageWaitTimeSeconds"]
        for queue in stack.all("AWS::SQS::Queue").values()
        if "RedrivePolicy" in queue
    }
    assert waits == {PRICES.assume("receive_wait_seconds")}
