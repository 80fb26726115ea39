"""A domain name of one's own before the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_s3 as s3

from settings.stack_outputs import StackOutput

if TYPE_CHECKING:
    from constructs import Construct

    from settings.deployment_protection import Domain


def add_domain(scope: Construct, api: apigateway.RestApi, domain: Domain) -> str:
    """Put a domain name before the API; give the URL that senders use.

    With a truststore, API Gateway takes no connection without a certificate of its authorities
    (API Gateway Developer Guide, mutual TLS for REST APIs); its own address is closed in any case.
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
        mtls=_mutual(scope, domain),
    )
    name.add_base_path_mapping(api, stage=api.deployment_stage)
    target = StackOutput.DOMAIN_TARGET.value
    output = CfnOutput(scope, target, value=name.domain_name_alias_domain_name)
    output.override_logical_id(target)
    return f"https://{domain.name}"


def _mutual(scope: Construct, domain: Domain) -> apigateway.MTLSConfig | None:
    if domain.truststore is None:
        return None
    bucket, _, key = domain.truststore.removeprefix("s3://").partition("/")
    return apigateway.MTLSConfig(
        bucket=s3.Bucket.from_bucket_name(scope, "Truststore", bucket),
        key=key,
        version=domain.truststore_version,
    )
