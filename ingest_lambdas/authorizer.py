"""The authorizer of the front door: tokens, passwords and sender addresses.

It never sees a body, so it cannot check a signature: that is the processor's. What it cannot
decide it answers with an error, which is a 500: senders such as Okta never retry after a 4xx.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from pipeline.aws.account import Account
from pipeline.aws.clients import Ssm
from pipeline.aws.connections import ClientConfig
from pipeline.errors import PipelineError
from pipeline.event.compiled_source import Catalog, load_catalog
from pipeline.event.door_words import TOKEN_PARAMETER
from pipeline.receiving.admission import (
    UnknownRouteError,
    from_allowed_network,
    has_token,
    header_of,
    shows_secret,
    source_of,
)
from pipeline.runtime.environment import AuthorizerEnvironment
from pipeline.runtime.secret_store import SecretStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from pipeline.event.compiled_source import CompiledSource

__all__ = ["Authorizer", "MixedTokensError", "UnknownRouteError", "handler"]

logger = Logger()
#: A sender waits for the answer, some for three seconds.
CLIENT = ClientConfig(connect_timeout=1.0, read_timeout=2.0, attempts=2)


class MixedTokensError(PipelineError):
    """A request has a right and a wrong value of the token's header.

    API Gateway keeps a decision by its own reading of that header (the identity source), and which
    of several values that is, is not documented. Whatever was decided here could be kept under the
    other value: the right token would be locked out, or the wrong one let in, for five minutes. An
    error is kept nowhere, and one with the one message `Unauthorized` is answered with 401 (API
    Gateway Developer Guide, output from a Lambda authorizer). It counts as an error of the function
    and raises an alarm, but only who has the right token can cause it.
    """

    def __init__(self) -> None:
        super().__init__("Unauthorized")


@dataclass(frozen=True)
class Authorizer:
    """Decides who may post to which source."""

    catalog: Catalog
    secrets: SecretStore

    def allows(self, request: Mapping[str, Any]) -> bool:
        """Decide about one request.

        Raises
        ------
        SecretError
            When the token cannot be read.
        UnknownRouteError
            When the route belongs to no source.
        MixedTokensError
            When one value of the token's header is right and another is not.
        """
        source = source_of(self.catalog, str(request["resource"]))
        if not from_allowed_network(source, request["requestContext"]["identity"]["sourceIp"]):
            return False
        if not shows_secret(source):
            return True
        values = _values(request, source)
        verdicts = {has_token(source, self.secrets, value) for value in values}
        if len(verdicts) > 1:
            raise MixedTokensError
        return True in verdicts


def _values(request: Mapping[str, Any], source: CompiledSource) -> list[str]:
    """Return the distinct values of what shows a secret; of a header, whatever its name's case.

    `headers` has one value of each spelling, `multiValueHeaders` has all (API Gateway Developer
    Guide, input to a Lambda authorizer); and so for the query, whose names' case counts.
    """
    if source.token_in_path:
        return [str((request.get("pathParameters") or {}).get(TOKEN_PARAMETER, ""))]
    if wanted := source.token_query:
        several = request.get("multiValueQueryStringParameters") or {}
        found = [str(value) for value in several.get(wanted) or []]
        return list(dict.fromkeys(found))
    name = header_of(source)
    # Senders over HTTP/2 write header names in lower case, others as they please.
    groups = (request.get("multiValueHeaders") or {}).items()
    found = [str(value) for key, values in groups if key.lower() == name for value in values]
    single = (request.get("headers") or {}).items()
    found += [str(value) for key, value in single if key.lower() == name]
    return list(dict.fromkeys(found))


@cache
def authorizer() -> Authorizer:
    """Make the authorizer of this process, on its first invocation."""
    environment = AuthorizerEnvironment.read(os.environ)
    ssm = Ssm(Account.read(os.environ), CLIENT)
    return Authorizer(load_catalog(), SecretStore(ssm, environment.project, environment.stage))


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Answer API Gateway with a policy for this route, and for no other."""
    route = event["resource"]
    request_id = event["requestContext"].get("extendedRequestId", "")
    try:
        allowed = authorizer().allows(event)
    except MixedTokensError:
        logger.info("mixed tokens", extra={"route": route, "id": request_id})
        raise
    logger.info("authorized" if allowed else "denied", extra={"route": route, "id": request_id})
    return {
        "principalId": route.strip("/"),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if allowed else "Deny",
                    "Resource": event["methodArn"],
                }
            ],
        },
    }
