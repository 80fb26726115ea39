"""Keeps a secret that a sender makes up and says once, while an operator lets it.

Who asks in that time is not known: it is the operator who says that the sender is about to. So the
time is short, each request is logged, and what is learned is added and takes nothing away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.event.secrets import SecretError
from pipeline.receiving.answers import Answer, denied, unavailable
from pipeline.runtime.secret_store import MOST_SECRETS, SecretStore, lines_of

if TYPE_CHECKING:
    from pipeline.aws.seams import WritableParameters
    from pipeline.receiving.request import Request

#: The last part of the name of the parameter that says until when, in epoch seconds.
WINDOW = "learn_until"
#: However late the parameter says it is: a window is never longer than this, in seconds.
LONGEST_WINDOW = 3_600
_SECRET = re.compile(r"[!-~]{16,200}")
#: How often others may be in between.
_ATTEMPTS = 5


@dataclass(frozen=True)
class Learning:
    """Writes what is learned into the source's parameter.

    Parameters
    ----------
    project, stage : str
        Parts of the parameter's name.
    """

    ssm: WritableParameters
    secrets: SecretStore
    project: str
    stage: str

    def learn(self, request: Request, given: object) -> Answer | None:
        """Keep a secret; None where it is kept, or was known.

        Raises
        ------
        SecretError
            When it cannot be seen whether that is wanted now.
        """
        if not isinstance(given, str) or not _SECRET.fullmatch(given):
            return denied(400, "bad_secret", "A secret is 16 to 200 characters without a space.")
        if not self._is_open(request):
            return denied(403, "forbidden", "Nothing is learned now.", "no window is open")
        name = f"/{self.project}/{request.source.name}/{self.stage}/{request.source.secret_kind}"
        try:
            return self._keep(name, given)
        except (BotoCoreError, ClientError) as error:
            return unavailable(f"{name}: cannot be written ({_code(error)})")

    def _is_open(self, request: Request) -> bool:
        try:
            (until,) = self.secrets.secrets(request.source.name, WINDOW, refresh=True)
        except (SecretError, ValueError):
            return False
        now = request.arrived_ms / 1000
        return until.isdigit() and len(until) <= 12 and now < int(until) <= now + LONGEST_WINDOW

    def _keep(self, name: str, given: str) -> Answer | None:
        """Add a line. Parameter Store has no condition on an overwrite, but counts its versions.

        So whoever finds that others wrote in between reads what they wrote, and writes it again
        with what is their own.
        """
        wanted = [given]
        for _ in range(_ATTEMPTS):
            version, lines = self._read(name)
            missing = [one for one in wanted if one not in lines]
            if not missing:
                return None
            values = [*missing, *lines]
            if len(values) > MOST_SECRETS:
                what = f"{name}: has {len(lines)} values; one has to be retired"
                return denied(409, "too_many_secrets", "No more secrets can be kept.", what)
            written = self._write(name, values, version)
            if written == version + 1:
                return None
            for between in range(version + 1, written):
                _, theirs = self._read(f"{name}:{between}")
                wanted += [one for one in theirs if one not in wanted]
        return unavailable(f"{name}: others wrote into it each time")

    def _read(self, name: str) -> tuple[int, list[str]]:
        try:
            found = self.ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
        except ClientError as error:
            if _code(error) != "ParameterNotFound":
                raise
            return 0, []
        return int(found["Version"]), lines_of(found["Value"])

    def _write(self, name: str, values: list[str], version: int) -> int:
        try:
            made = self.ssm.put_parameter(
                Name=name, Value="\n".join(values), Type="SecureString", Overwrite=version > 0
            )
        except ClientError as error:
            if version or _code(error) != "ParameterAlreadyExists":
                raise
            return 0  # somebody made it first: read it
        return int(made["Version"])


def _code(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__
