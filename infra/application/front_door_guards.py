"""The web ACL before the API: what one address, and one delivery id, may send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_wafv2 as wafv2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_apigateway as apigateway
    from constructs import Construct

    from settings.source.loader import LoadedSource

#: How the route of a source ends whose token is in the path.
_TOKEN = "/{token}"  # noqa: S105 - a parameter of a path
_AS_IT_IS = [wafv2.CfnWebACL.TextTransformationProperty(priority=0, type="NONE")]

REQUESTS_OF_AN_ADDRESS = 100_000
"""In five minutes. AWS WAF Developer Guide, rate-based rules: 10 to 2,000,000,000.

A vendor sends its webhooks from a few addresses, so this is far above what one of them sends in
earnest and far below what the stage's throttle lets through.
"""

UNVERIFIED_WINDOW = 60
"""Seconds; the shortest that a rule can have, so that a flood ends soon."""

UNVERIFIED_OF_AN_ADDRESS = {"small": (0, 1_200), "medium": (8_192, 180), "large": (65_536, 12)}
"""How many requests with a body of more than so many bytes one address may send in a window.

WAF counts requests and no bytes. Together they bound the bytes: below all three limits an address
sends 20 x 8 KiB + 3 x 64 KiB + 0.2 x 1 MiB in a second, about half of what a shard takes.
"""


COPIES_OF_AN_ID = 10
"""How many requests with one delivery id may come in a window; the least that a rule can have.

All requests with one id go to one shard, so that copies meet there. A sender that tries again
sends a handful.
"""


MOST_BOUND_HEADERS = 6
"""AWS WAF quotas: a web ACL has ten rate-based rules and no more. Four bind addresses."""


def is_exposed(source: LoadedSource) -> bool:
    """Tell whether anyone on the internet can put requests of this source on the stream.

    A signed request is verified behind the stream, and one without any proof nowhere. A token is
    judged by the authorizer, a network too, and the receiver judges what comes to it.
    """
    settings = source.settings
    unverified = bool(settings.signing) or settings.proof == "none"
    return settings.ingest == "direct" and unverified and not settings.allowed_networks


def id_headers(exposed: Sequence[LoadedSource]) -> list[str]:
    """Return the headers that carry the delivery ids of such sources, in lower case and in order.

    The first `MOST_BOUND_HEADERS` can be bound by rules. The others are no partition keys, so that
    no header chooses a shard that nobody bounds.
    """
    locators = (source.settings.delivery_id for source in exposed)
    return sorted({one.header.lower() for one in locators if one and one.header})


def add_web_acl(
    scope: Construct,
    stage: apigateway.Stage,
    name: str,
    *,
    exposed: Sequence[str],
    others: Sequence[str],
    bound_headers: Sequence[str],
) -> None:
    """Put a web ACL before a stage: it looks at addresses and sizes, and at no body's content.

    The rule groups that look into bodies would block security events for what they report.

    Parameters
    ----------
    exposed : Sequence[str]
        The sources whose requests are not verified before the stream; see `is_exposed`.
    others : Sequence[str]
        The other sources that have a route: they are not bound by size.
    bound_headers : Sequence[str]
        The headers of which one value may come a few times; see `id_headers`.
    """
    statements = {
        "rate-of-an-address": wafv2.CfnWebACL.StatementProperty(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP", limit=REQUESTS_OF_AN_ADDRESS
            )
        )
    }
    if exposed:
        for label, (size, limit) in UNVERIFIED_OF_AN_ADDRESS.items():
            statements[f"{label}-unverified"] = _unverified(size, limit, others)
    statements |= {f"copies-of-{name}": _copies_of(name) for name in bound_headers}
    if bound_headers:
        odd = [each for name in bound_headers for each in _odd(name)]
        statements["odd-delivery-ids"] = _any_of(odd)
    rules = [
        wafv2.CfnWebACL.RuleProperty(
            name=rule,
            priority=priority,
            action=wafv2.CfnWebACL.RuleActionProperty(block={}),
            statement=statement,
            visibility_config=_visibility(f"{name}-{rule}"),
        )
        for priority, (rule, statement) in enumerate(statements.items())
    ]
    acl = wafv2.CfnWebACL(
        scope,
        "WebAcl",
        name=name,
        scope="REGIONAL",
        default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
        visibility_config=_visibility(name),
        association_config=_look_at_64_kib() if exposed else None,
        rules=[*rules, _ill_repute(name, len(rules))],
    )
    wafv2.CfnWebACLAssociation(
        scope, "WebAclOfStage", resource_arn=stage.stage_arn, web_acl_arn=acl.attr_arn
    )


def _unverified(size: int, limit: int, others: Sequence[str]) -> wafv2.CfnWebACL.StatementProperty:
    """Limit what one address sends with a body of more than so many bytes, but for some routes.

    Whatever is not exactly another source's path is limited: a path can be written in many ways,
    and none of them that leads to an exposed source ends like another's.
    """
    parts = [_larger_than(size)] if size else []
    parts += [
        wafv2.CfnWebACL.StatementProperty(
            not_statement=wafv2.CfnWebACL.NotStatementProperty(statement=_path_of(each))
        )
        for each in others
    ]
    both = wafv2.CfnWebACL.StatementProperty(
        and_statement=wafv2.CfnWebACL.AndStatementProperty(statements=parts)
    )
    return wafv2.CfnWebACL.StatementProperty(
        rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
            aggregate_key_type="IP",
            limit=limit,
            evaluation_window_sec=UNVERIFIED_WINDOW,
            # AWS WAF API reference, AndStatement: of two statements or more.
            scope_down_statement=both if len(parts) > 1 else next(iter(parts), None),
        )
    )


def _copies_of(header: str) -> wafv2.CfnWebACL.StatementProperty:
    """Limit the requests with one delivery id, from however many addresses they come.

    Requests without the header are not counted (AWS WAF API reference, RateBasedStatementCustomKey)
    and go to shards by their own ids.
    """
    value = wafv2.CfnWebACL.RateLimitHeaderProperty(name=header, text_transformations=_AS_IT_IS)
    return wafv2.CfnWebACL.StatementProperty(
        rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
            aggregate_key_type="CUSTOM_KEYS",
            custom_keys=[wafv2.CfnWebACL.RateBasedStatementCustomKeyProperty(header=value)],
            limit=COPIES_OF_AN_ID,
            evaluation_window_sec=UNVERIFIED_WINDOW,
        )
    )


def _odd(header: str) -> list[wafv2.CfnWebACL.StatementProperty]:
    """Find ids that WAF and API Gateway could read differently: two of them, or beyond ASCII.

    One that WAF took for many ids, and API Gateway for one, would get around the limit.
    """
    return [
        _matches(
            f"(^|:){header}:(.*:)?{header}(:|$)",
            wafv2.CfnWebACL.FieldToMatchProperty(
                header_order=wafv2.CfnWebACL.HeaderOrderProperty(oversize_handling="MATCH")
            ),
            transformation="LOWERCASE",
        ),
        _matches("[^ -~]", wafv2.CfnWebACL.FieldToMatchProperty(single_header={"Name": header})),
    ]


def _matches(
    pattern: str, field: wafv2.CfnWebACL.FieldToMatchProperty, *, transformation: str = "NONE"
) -> wafv2.CfnWebACL.StatementProperty:
    return wafv2.CfnWebACL.StatementProperty(
        regex_match_statement=wafv2.CfnWebACL.RegexMatchStatementProperty(
            regex_string=pattern,
            field_to_match=field,
            text_transformations=[
                wafv2.CfnWebACL.TextTransformationProperty(priority=0, type=transformation)
            ],
        )
    )


def _any_of(
    statements: Sequence[wafv2.CfnWebACL.StatementProperty],
) -> wafv2.CfnWebACL.StatementProperty:
    return wafv2.CfnWebACL.StatementProperty(
        or_statement=wafv2.CfnWebACL.OrStatementProperty(statements=statements)
    )


def _larger_than(size: int) -> wafv2.CfnWebACL.StatementProperty:
    return wafv2.CfnWebACL.StatementProperty(
        size_constraint_statement=wafv2.CfnWebACL.SizeConstraintStatementProperty(
            field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(
                # One of which WAF sees a part alone is larger than any of these sizes.
                body=wafv2.CfnWebACL.BodyProperty(oversize_handling="MATCH")
            ),
            comparison_operator="GT",
            size=size,
            text_transformations=_AS_IT_IS,
        )
    )


def _path_of(source: str) -> wafv2.CfnWebACL.StatementProperty:
    """Find the path of a source, by its name or its route: `chat`, `chat/{token}`."""
    if source.endswith(_TOKEN):
        # No route of another source has a part behind its name.
        exactly = f"/{source.removesuffix(_TOKEN)}/[^/]+$"
        return _matches(exactly, wafv2.CfnWebACL.FieldToMatchProperty(uri_path={}))
    # With API Gateway's own address the stage's name stands before it, with a domain nothing does.
    return wafv2.CfnWebACL.StatementProperty(
        byte_match_statement=wafv2.CfnWebACL.ByteMatchStatementProperty(
            field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(uri_path={}),
            positional_constraint="ENDS_WITH",
            search_string=f"/{source}",
            text_transformations=_AS_IT_IS,
        )
    )


def _look_at_64_kib() -> wafv2.CfnWebACL.AssociationConfigProperty:
    """AWS WAF Developer Guide, body inspection: 16 KB without it, 64 KB at most."""
    limit = wafv2.CfnWebACL.RequestBodyAssociatedResourceTypeConfigProperty(
        default_size_inspection_limit="KB_64"
    )
    return wafv2.CfnWebACL.AssociationConfigProperty(request_body={"API_GATEWAY": limit})


def _ill_repute(name: str, priority: int) -> wafv2.CfnWebACL.RuleProperty:
    return wafv2.CfnWebACL.RuleProperty(
        name="addresses-of-ill-repute",
        priority=priority,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        statement=wafv2.CfnWebACL.StatementProperty(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS", name="AWSManagedRulesAmazonIpReputationList"
            )
        ),
        visibility_config=_visibility(f"{name}-reputation"),
    )


def _visibility(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True,
        metric_name=name,
        # A sampled request shows its headers, and so a token.
        sampled_requests_enabled=False,
    )
