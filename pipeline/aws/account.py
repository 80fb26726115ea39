"""Where AWS is and who calls it, as a Lambda's environment says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.aws.endpoint_table import EXCEPTIONS, PARTITIONS
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.aws.endpoint_table import Hosts


SERVICES = ("dynamodb", "kinesis", "s3", "sqs", "ssm")
_ENDPOINT = "AWS_ENDPOINT_URL"
_FIPS, _DUAL_STACK = "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"


class AccountError(PipelineError):
    """The environment does not say who calls AWS, or where."""


@dataclass(frozen=True)
class Account:
    """A region and the credentials for it.

    Parameters
    ----------
    region : str
        Such as `us-west-2`.
    session_token : str
        Empty for those of a user; a role's have one.
    endpoint_url : str
        Takes the place of every service's own endpoint where it is set.
    endpoint_urls : Mapping[str, str]
        By service, takes the place of that one's.
    fips, dual_stack : bool
        Whether endpoints with validated cryptography, and such with IPv6, are wanted.
    regional_s3 : bool
        Whether S3 in us-east-1 is asked by its region's name.
    """

    region: str
    access_key: str
    secret_key: str
    session_token: str = ""
    endpoint_url: str = ""
    endpoint_urls: Mapping[str, str] = field(default_factory=dict)
    fips: bool = False
    dual_stack: bool = False
    regional_s3: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Account:
        """Read the variables that Lambda sets.

        The credentials of an execution environment last as long as it does (AWS Lambda Developer
        Guide, execution role), so they are read once.

        Raises
        ------
        AccountError
            When one is missing.
        """
        needed = ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        missing = [name for name in needed if not environ.get(name)]
        if missing:
            raise AccountError(
                f"environment variable {', '.join(missing)} is missing; Lambda sets it"
            )
        own = _own_endpoints(environ)
        return cls(
            region=environ["AWS_REGION"],
            access_key=environ["AWS_ACCESS_KEY_ID"],
            secret_key=environ["AWS_SECRET_ACCESS_KEY"],
            session_token=environ.get("AWS_SESSION_TOKEN", ""),
            endpoint_url=own.get("", ""),
            endpoint_urls={service: url for service, url in own.items() if service},
            fips=_is_true(environ, _FIPS),
            dual_stack=_is_true(environ, _DUAL_STACK),
            regional_s3=environ.get("AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "") == "regional",
        )

    def own_endpoint(self, service: str) -> str:
        """Return the URL that takes the place of a service's endpoint; empty for none."""
        return self.endpoint_urls.get(service) or self.endpoint_url

    def endpoint(self, service: str) -> str:
        """Return the URL of a regional service, as botocore resolves it.

        Parameters
        ----------
        service : str
            One of the table's: `dynamodb`, `kinesis`, `s3`, `sqs`, `ssm`.

        Raises
        ------
        AccountError
            When there is no such endpoint.
        """
        own = self.own_endpoint(service)
        if own:
            return own
        host = self._hosts(service)[self.fips + 2 * self.dual_stack]
        if host is None:
            settings = ((_FIPS, self.fips), (_DUAL_STACK, self.dual_stack))
            wanted = " and ".join(name for name, on in settings if on)
            raise AccountError(f"{wanted}: {service} has no such endpoint in {self.region}")
        return f"https://{host.format(region=self.region)}"

    def _hosts(self, service: str) -> Hosts:
        exception = EXCEPTIONS.get((service, self.region))
        if exception is not None and not (self.regional_s3 and self.region == "us-east-1"):
            return exception
        for pattern, services in PARTITIONS.items():
            if re.match(pattern, self.region):
                return services[service]
        # botocore takes a region that it cannot place for one of the first partition, `aws`.
        return next(iter(PARTITIONS.values()))[service]


def _own_endpoints(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the endpoints that are set: by service, and for all of them by the empty text.

    AWS SDKs and Tools Reference Guide, service-specific endpoints.
    """
    if _is_true(environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        return {}
    names = {"": _ENDPOINT, **{name: f"{_ENDPOINT}_{name.upper()}" for name in SERVICES}}
    return {service: environ[name] for service, name in names.items() if environ.get(name)}


def _is_true(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() == "true"
