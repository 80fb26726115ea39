"""Where AWS is and who calls it, as a Lambda's environment says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    """

    region: str
    access_key: str
    secret_key: str
    session_token: str = ""
    endpoint_url: str = ""

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
        return cls(
            region=environ["AWS_REGION"],
            access_key=environ["AWS_ACCESS_KEY_ID"],
            secret_key=environ["AWS_SECRET_ACCESS_KEY"],
            session_token=environ.get("AWS_SESSION_TOKEN", ""),
            endpoint_url=environ.get("AWS_ENDPOINT_URL", ""),
        )

    def endpoint(self, service: str) -> str:
        """Return the URL of a regional service, without a path.

        Parameters
        ----------
        service : str
            The endpoint's prefix, such as `sqs`.
        """
        if self.endpoint_url:
            return self.endpoint_url
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return f"https://{service}.{self.region}.{suffix}"
