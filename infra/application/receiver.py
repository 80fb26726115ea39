"""The receiver: the function behind the routes of sources that are verified at the door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.application.checks import acknowledge, wildcard
from infra.application.functions import PipelineFunction, read_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_kinesis as kinesis

    from infra.application.functions import FunctionPackage

MEMORY_MB = 1_024
"""Lambda gives processor time by memory, and a cold start is all processor: imports, and two TLS
connections, while a sender waits. Some senders have a timeout of three seconds."""

TIMEOUT_SECONDS = 15
"""The worst that the clients' own limits allow, so that the sender gets an answer and not the
error of a function that was cut off: two attempts at SSM and two at Kinesis, 2.5 s each, and 1.5 s
for each service that throttles."""


class ReceiverFunction(Construct):
    """One function for all sources that choose it.

    Parameters
    ----------
    stream : kinesis.Stream
        Where the envelopes go.
    parameter_arns : Sequence[str]
        The parameters that hold the tokens and signing secrets of its sources.
    learned_arns : Sequence[str]
        Those of sources whose senders say their secret once: it may write these alone.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: FunctionPackage,
        environment: Mapping[str, str],
        stream: kinesis.Stream,
        parameter_arns: Sequence[str],
        learned_arns: Sequence[str] = (),
        reserved_concurrency: int | None = None,
        traced: bool = True,
        system_log: bool = True,
    ) -> None:
        super().__init__(scope, construct_id)
        put = iam.PolicyStatement(actions=["kinesis:PutRecord"], resources=[stream.stream_arn])
        # Of two that wrote at once, each reads the other's version, which its name has.
        versions = [f"{arn}:*" for arn in learned_arns]
        learn = iam.PolicyStatement(actions=["ssm:PutParameter"], resources=list(learned_arns))
        self.function = PipelineFunction(
            self,
            "Receiver",
            package=package,
            handler="ingest_lambdas.receiver.handler",
            description="Verifies requests before they are taken, and answers handshakes",
            environment={**environment, "STREAM_NAME": stream.stream_name},
            permissions={
                "ReadSecrets": read_parameters([*parameter_arns, *versions]),
                "PutRecord": [put],
                **({"LearnSecrets": [learn]} if learned_arns else {}),
            },
            memory_mb=MEMORY_MB,
            timeout_seconds=TIMEOUT_SECONDS,
            reserved_concurrency=reserved_concurrency,
            traced=traced,
            system_log=system_log,
        ).function
        reason = "All versions of one parameter, which the function may read in any case."
        if versions and self.function.role:
            acknowledge(
                self.function.role, {wildcard(self, version): reason for version in versions}
            )

    def know_address(self, public_url: str) -> None:
        """Tell the function the address of the stage, which senders sign in some schemes."""
        self.function.add_environment("PUBLIC_URL", public_url)

    def integration(self) -> apigateway.LambdaIntegration:
        """Return the integration of a route; the API gets one permission for all of them.

        One for each route would fill the function's policy, which may have 20,480 bytes (AWS
        Lambda Developer Guide, quotas), with some 45 sources. What comes by a route that is not
        the receiver's is refused by the function itself.
        """
        return apigateway.LambdaIntegration(self.function, scope_permission_to_method=False)
