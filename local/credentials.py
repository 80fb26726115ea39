"""The credentials of one run: whoever has them may call its emulator, and nobody else.

Each role of the template has credentials of its own, made of those of the run, so that the emulator
knows by whom it is called without a list of keys.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID_BYTES = 10
_SECRET_BYTES = 32


@dataclass(frozen=True)
class RunCredentials:
    """An access key of the emulator; signed with as with AWS's own.

    Parameters
    ----------
    access_key_id : str
        Never of twelve digits: the emulator would take that for an account.
    secret_access_key : str
        What requests are signed with (Signature Version 4).
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)

    @classmethod
    def make(cls) -> Self:
        """Make new ones, which nobody can guess."""
        return cls(
            f"LOCAL{secrets.token_hex(_ID_BYTES).upper()}", secrets.token_urlsafe(_SECRET_BYTES)
        )

    def of_role(self, role: str) -> RunCredentials:
        """Return those of a role.

        Parameters
        ----------
        role : str
            Its logical id, letters and digits alone; the run's own for an empty one.
        """
        if not role:
            return self
        secret = hmac.new(self.secret_access_key.encode(), role.encode(), hashlib.sha256)
        return RunCredentials(f"{self.access_key_id}{role}", secret.hexdigest())

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables that `environment` gives; KeyError where one is missing."""
        return cls(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"])

    def environment(self) -> dict[str, str]:
        """Return the variables that AWS's SDKs read, and that Lambda sets for a function."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }
