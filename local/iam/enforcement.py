"""Refuses, before anything runs, what AWS's services may not do by themselves, or when they try.

What AWS finds out when a stack is made (mappings, notifications, keys) ends the start. What it
finds out at a call is refused at the call: a function that a route or a rule may not invoke.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.gateway.errors import GatewayError
from local.iam.review import explanation
from local.iam.simulator import decide
from local.iam.standing import API, RULES
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.gateway.model import Api
    from local.iam.actions import IamPlace
    from local.iam.model import IamModel
    from local.invocation import Invocation, InvokeFunction

_AT_A_CALL = {(API, "lambda:InvokeFunction"), (RULES, "lambda:InvokeFunction")}


class NotAllowedError(PipelineError):
    """The stack's policies do not allow what its services do by themselves; a line for each."""


def refused_sources(model: IamModel) -> dict[str, str]:
    """Return the routes, authorizers and rules that may not invoke their function.

    Returns
    -------
    dict[str, str]
        Their ARN (`aws:SourceArn`), and what is missing.

    Raises
    ------
    NotAllowedError
        For anything else that is not allowed.
    SimulatorError
        When the simulator is not installed, or fails.
    """
    (verdicts,) = decide([(model, model.standing)])
    refused, faults = {}, []
    for verdict in verdicts:
        if verdict.allowed:
            continue
        call, why = verdict.call, explanation(model, verdict)
        if (call.principal, call.action) in _AT_A_CALL:
            refused[dict(call.context)["aws:SourceArn"]] = why
        else:
            faults.append(why)
    if faults:
        raise NotAllowedError("\n".join(faults))
    return refused


def allowed_only(
    invoke: InvokeFunction, api: Api, place: IamPlace, refused: Mapping[str, str]
) -> InvokeFunction:
    """Return what invokes functions for a front door; a refusal is answered 500, as on AWS."""
    authorizers = {
        f"{route.http_method}{route.resource_path}": route.authorizer.logical_id
        for route in api.routes
        if route.authorizer
    }

    async def call(logical_id: str, event: Mapping[str, Any]) -> Invocation:
        context = event["requestContext"]
        route = f"{context['httpMethod']}{context['resourcePath']}"
        asks = "methodArn" in event
        source = f"authorizers/{authorizers[route]}" if asks else f"{api.stage}/{route}"
        if why := refused.get(place.arn("execute-api", f"{api.api_id}/{source}")):
            kind = "AUTHORIZER_CONFIGURATION_ERROR" if asks else "API_CONFIGURATION_ERROR"
            raise GatewayError(kind, reason=f"Invalid permissions on Lambda function: {why}")
        return await invoke(logical_id, event)

    return call
