"""What was found of one thing in an account, and what becomes of a question that has no answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Known(StrEnum):
    """How it is with a thing.

    `LATER` is what a deployment has to bring first. `UNKNOWN` is no pass: AWS did not say.
    """

    GOOD = "good"
    LATER = "later"
    FAULT = "fault"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Finding:
    """What is so, and what to do about it.

    Parameters
    ----------
    where : str
        The pipeline or the stack, and its account and region.
    what : str
        The thing that was asked about.
    do : str
        What to do; empty where there is nothing to do.
    """

    where: str
    what: str
    known: Known
    said: str
    do: str = ""


@dataclass(frozen=True)
class AskedPlace:
    """A stack or a pipeline in an account and region, with clients of boto3 for it.

    Parameters
    ----------
    client : Callable[[str], Any]
        Makes the client of a service in this region.
    """

    name: str
    account: str
    region: str
    partition: str
    client: Callable[[str], Any]

    @property
    def where(self) -> str:
        """What a finding calls it."""
        return f"{self.name} ({self.account}, {self.region})"

    def good(self, what: str, said: str) -> Finding:
        """Say that a thing is as it has to be."""
        return Finding(self.where, what, Known.GOOD, said)

    def fault(self, what: str, said: str, do: str) -> Finding:
        """Say that a thing is not as it has to be."""
        return Finding(self.where, what, Known.FAULT, said, do)

    def later(self, what: str, said: str, do: str) -> Finding:
        """Say that a thing comes after the deployment."""
        return Finding(self.where, what, Known.LATER, said, do)

    def unknown(self, what: str, said: str, do: str) -> Finding:
        """Say that nobody knows."""
        return Finding(self.where, what, Known.UNKNOWN, said, do)


def ask(place: AskedPlace, what: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Run a check; what AWS denies or does not answer is not known."""
    try:
        yield from check()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        said = f"{error.operation_name}: {code}"
        do = f"let the credentials call {error.operation_name}, or look in the console"
        yield place.unknown(what, said, do)
    except BotoCoreError as error:
        yield place.unknown(what, str(error), "see the network, the region and the credentials")


def code_of(error: ClientError) -> str:
    """Return the name of an error as the services' models have it."""
    return str(error.response["Error"]["Code"])
