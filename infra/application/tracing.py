"""How many requests X-Ray takes down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Names
from aws_cdk import aws_xray as xray

if TYPE_CHECKING:
    from aws_cdk import aws_apigateway as apigateway
    from constructs import Construct

RULE_NAME_CHARACTERS = 32
TRACES_A_SECOND = 1


def add_sampling(scope: Construct, stage: apigateway.Stage) -> xray.CfnSamplingRule:
    """Have one request a second of this API traced, and no share of the rest.

    The default rule adds 5% of all further requests, and traces are billed one by one: at 1,000
    requests a second they would cost more than the stream. What a trace shows, how long the
    authorizer and the integration take, one a second shows as well; single events are found by
    their ids in the logs.
    """
    rule = xray.CfnSamplingRule(
        scope,
        "Sampling",
        sampling_rule=xray.CfnSamplingRule.SamplingRuleProperty(
            version=1,
            # Rules are evaluated by priority, and the default one is the last (10,000).
            priority=1_000,
            reservoir_size=TRACES_A_SECOND,
            fixed_rate=0,
            service_type="AWS::ApiGateway::Stage",
            resource_arn=stage.stage_arn,
            service_name="*",
            host="*",
            http_method="*",
            url_path="*",
        ),
    )
    name = Names.unique_resource_name(rule, max_length=RULE_NAME_CHARACTERS, separator="-")
    rule.add_property_override("SamplingRule.RuleName", name)
    return rule
