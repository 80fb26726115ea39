"""What guards a stage: throttles, encryption, web ACL and domain of `config/<stage>.yaml`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from settings.source.base import Model, SourceName

Encryption = Literal["customer_managed", "aws_managed"]
#: Amazon CloudWatch Logs API reference, PutRetentionPolicy: the days that it takes, up to a year.
LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365]
#: What senders post to. Behind an HTTP API, the receiver takes the requests of every source.
Door = Literal["rest_api", "http_api"]
#: How much each line of the API's access log says.
AccessLog = Literal["short", "full"]


class Limit(Model):
    """The most requests of a second, and at once, before the API answers 429."""

    rate: int = Field(ge=1, description="requests a second")
    burst: int = Field(ge=1, description="requests at once")


class ThrottleSettings(Model):
    """The limit over all sources, and those of single ones."""

    rate: int = Field(default=5_000, ge=1, description="requests a second")
    burst: int = Field(default=2_500, ge=1, description="requests at once")
    by_source: dict[SourceName, Limit] = Field(default_factory=dict)


class AtTheDoor(Model):
    """A function that senders wait for: the authorizer, or the receiver."""

    reserved_concurrency: int | None = Field(
        default=None, ge=1, le=10_000, description="the most invocations at once"
    )


class ReceiverSettings(AtTheDoor):
    """The receiver, which writes a line of its own for each request."""

    system_log: bool = Field(
        default=True, description="whether Lambda's lines of each invocation are kept, too"
    )


class Domain(Model):
    """A domain name of one's own in front of the API."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")
    certificate_arn: str
    truststore: str | None = Field(
        default=None,
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.*'()/-]{1,900}$",
        description="a PEM file of the authorities whose client certificates are let in (mutual "
        "TLS); every source of the stage then needs one",
    )
    truststore_version: str | None = Field(
        default=None, description="the version of that object, where its bucket keeps versions"
    )

    @model_validator(mode="after")
    def _version_of_something(self) -> Domain:
        if self.truststore_version is not None and self.truststore is None:
            raise ValueError("'truststore_version' is that of 'truststore'")
        return self

    @field_validator("certificate_arn")
    @classmethod
    def _is_of_acm(cls, arn: str) -> str:
        if not arn.startswith(("arn:aws:acm:", "arn:aws-cn:acm:", "arn:aws-us-gov:acm:")):
            raise ValueError("is the ARN of a certificate in ACM, in the region of the stage")
        return arn
