"""What can stand before the API: a web ACL, and a domain name of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_wafv2 as wafv2

from settings.stack_outputs import StackOutput

if TYPE_CHECKING:
    from constructs import Construct

    from settings.deployment_protection import Domain

REQUESTS_OF_AN_ADDRESS = 100_000
"""In five minutes. AWS WAF Developer Guide, rate-based rules: 10 to 2,000,000,000.

A vendor sends its webhooks from a few addresses, so this is far above what one of them sends in
earnest and far below what the stage's throttle lets through.
"""


def add_web_acl(scope: Construct, stage: apigateway.Stage, name: str) -> None:
    """Put a web ACL before a stage: it looks at addresses, and at no body.

    The rule groups that look into bodies would block security events for what they report.
    """
    acl = wafv2.CfnWebACL(
        scope,
        "WebAcl",
        name=name,
        scope="REGIONAL",
        default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
        visibility_config=_visibility(name),
        rules=[
            wafv2.CfnWebACL.RuleProperty(
                name="rate-of-an-address",
                priority=0,
                action=wafv2.CfnWebACL.RuleActionProperty(block={}),
                statement=wafv2.CfnWebACL.StatementProperty(
                    rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                        aggregate_key_type="IP", limit=REQUESTS_OF_AN_ADDRESS
                    )
                ),
                visibility_config=_visibility(f"{name}-rate"),
            ),
            wafv2.CfnWebACL.RuleProperty(
                name="addresses-of-ill-repute",
                priority=1,
                override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
                statement=wafv2.CfnWebACL.StatementProperty(
                    managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                        vendor_name="AWS", name="AWSManagedRulesAmazonIpReputationList"
                    )
                ),
                visibility_config=_visibility(f"{name}-reputation"),
            ),
        ],
    )
    wafv2.CfnWebACLAssociation(
        scope, "WebAclOfStage", resource_arn=stage.stage_arn, web_acl_arn=acl.attr_arn
    )


def add_domain(scope: Construct, api: apigateway.RestApi, domain: Domain) -> str:
    """Put a domain name before the API; give the URL that senders use.

    The record in DNS is made by hand: the zone may be in another account. It points to the
    output `DomainTarget`.
    """
    certificate = certificatemanager.Certificate.from_certificate_arn(
        scope, "Certificate", domain.certificate_arn
    )
    name = apigateway.DomainName(
        scope,
        "Domain",
        domain_name=domain.name,
        certificate=certificate,
        endpoint_type=apigateway.EndpointType.REGIONAL,
        security_policy=apigateway.SecurityPolicy.TLS_1_2,
    )
    name.add_base_path_mapping(api, stage=api.deployment_stage)
    target = StackOutput.DOMAIN_TARGET.value
    output = CfnOutput(scope, target, value=name.domain_name_alias_domain_name)
    output.override_logical_id(target)
    return f"https://{domain.name}"


def _visibility(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True,
        metric_name=name,
        # A sampled request shows its headers, and so a token.
        sampled_requests_enabled=False,
    )
