"""The Lambda authorizer, and the ways in which API Gateway asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from constructs import Construct

from infra.application.functions import PipelineFunction, read_parameters
from settings.source.admission import authorizer_identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.application.functions import FunctionPackage
    from settings.source.model import Source

CACHE_SECONDS = 300


class AuthorizerFunction(Construct):
    """One function behind REQUEST authorizers that differ in what they are cached by.

    The identity sources are the key of an authorizer's cache, so all hold the path: a token that
    opens one source's route is asked about again on another's. API Gateway answers 401 by itself
    when an identity source is missing (API Gateway Developer Guide, Lambda authorizers).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: FunctionPackage,
        environment: Mapping[str, str],
        parameter_arns: Sequence[str],
        reserved_concurrency: int | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = PipelineFunction(
            self,
            "Authorizer",
            package=package,
            handler="ingest_lambdas.authorizer.handler",
            description="Lets senders in by token or by address",
            environment=environment,
            permissions={"ReadTokens": read_parameters(parameter_arns)},
            memory_mb=512,
            timeout_seconds=10,
            reserved_concurrency=reserved_concurrency,
        ).function
        self._made: dict[str, apigateway.RequestAuthorizer] = {}

    def for_source(self, settings: Source) -> apigateway.RequestAuthorizer:
        """Return the authorizer that fits a source, made when the first source needs it."""
        identity = apigateway.IdentitySource
        header, query, by_address, by_method = authorizer_identity(settings)
        # With its hyphens: X-1-2 and X-12 are not one header.
        own = "" if header in {"", "Authorization"} else f"{header.title()}-"
        sources = {
            f"{own}Token": identity.header(header) if header else "",
            # In brackets, which no name has: `key` and an address are not the query's `keyAddress`.
            f"Query({query})": identity.query_string(query) if query else "",
            "Address": identity.context("identity.sourceIp") if by_address else "",
            # A decision names the method that it was asked for.
            "Method": identity.context("httpMethod") if by_method else "",
        }
        name = "".join(part for part, source in sources.items() if source) or "Path"
        if name not in self._made:
            self._made[name] = apigateway.RequestAuthorizer(
                self,
                name,
                handler=self.function,
                identity_sources=[
                    *(source for source in sources.values() if source),
                    identity.context("path"),
                ],
                results_cache_ttl=Duration.seconds(CACHE_SECONDS),
            )
        return self._made[name]
