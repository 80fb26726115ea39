"""The authorizer of the front door: tokens and sender addresses.

It never sees a body, so it cannot check a signature: that is the processor's. What it cannot
decide it answers with an error, which is a 500: senders such as Okta never retry after a 4xx.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from pipeline.environment import AuthorizerEnvironment
from pipeline.errors import PipelineError
from pipeline.secret_store import SecretStore
from pipeline.sources.compiled import Catalog, CompiledSource, load_catalog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
CLIENT = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2}
)


class UnknownRouteError(PipelineError):
    """The stack routed a request here for a source that the catalogue lacks."""


@dataclass(frozen=True)
class Authorizer:
    """Decides who may post to which source."""

    catalog: Catalog
    secrets: SecretStore

    def allows(self, request: Mapping[str, Any]) -> bool:
        """Decide about one request.

        Parameters
        ----------
        request : Mapping[str, Any]
            The event of a REQUEST authorizer.

        Raises
        ------
        SecretError
            When the token cannot be read.
        UnknownRouteError
            When the route belongs to no source.
        """
        source = self._source(request)
        if not _from_allowed_network(source, request["requestContext"]["identity"]["sourceIp"]):
            return False
        return source.authentication != "token" or self._has_token(source, request)

    def _source(self, request: Mapping[str, Any]) -> CompiledSource:
        name = str(request["resource"]).strip("/")
        source = self.catalog.get(name)
        if source is None:
            raise UnknownRouteError(f"route /{name}: no such source in the compiled catalogue")
        return source

    def _has_token(self, source: CompiledSource, request: Mapping[str, Any]) -> bool:
        given = _header(request, source.token_header)
        if not given.startswith(source.token_prefix):
            return False
        token = given.removeprefix(source.token_prefix).encode(errors="replace")
        for refresh in (False, True):
            secrets = self.secrets.secrets(source.name, source.secret_kind, refresh=refresh)
            # Every secret is compared, so that the time taken does not tell which one it was.
            matches = [hmac.compare_digest(token, secret) for secret in secrets]
            if any(matches):
                return True
        return False


def _header(request: Mapping[str, Any], name: str) -> str:
    # Senders over HTTP/2 write header names in lower case, others as they please.
    for key, value in (request.get("headers") or {}).items():
        if key.lower() == name:
            return str(value)
    return ""


def _from_allowed_network(source: CompiledSource, address: str) -> bool:
    if not source.allowed_networks:
        return True
    sender = ipaddress.ip_address(address)
    return any(sender in ipaddress.ip_network(network) for network in source.allowed_networks)


@cache
def authorizer() -> Authorizer:
    """Make the authorizer of this process, on its first invocation."""
    environment = AuthorizerEnvironment.read(os.environ)
    ssm = boto3.Session().client("ssm", config=CLIENT)
    return Authorizer(load_catalog(), SecretStore(ssm, environment.project, environment.stage))


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Answer API Gateway with a policy for this route, and for no other."""
    allowed = authorizer().allows(event)
    route = event["resource"]
    request_id = event["requestContext"].get("extendedRequestId", "")
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
