"""Reads and writes the SSM parameter of a source: the current value, and the others that count.

No error here holds a value: what SSM says about a value that it refuses can quote it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import PipelineError
from pipeline.runtime.secret_store import MOST_SECRETS

if TYPE_CHECKING:
    from datetime import datetime

    from toolbox.seams import SecretParameters


#: What a parameter of the standard tier holds, in bytes (SSM quotas).
LONGEST_VALUE = 4_096


class ParameterError(PipelineError):
    """A parameter cannot be read or written."""


@dataclass(frozen=True)
class Held:
    """What a parameter holds.

    Parameters
    ----------
    values : tuple[str, ...]
        All that count, the newest first; never printed.
    modified : datetime
        When it was last written.
    key_id : str
        The KMS key that it is encrypted with; empty for the account's own.
    """

    values: tuple[str, ...]
    modified: datetime
    key_id: str

    def __repr__(self) -> str:
        return f"Held({len(self.values)} values, modified={self.modified})"


class Parameter:
    """One parameter."""

    def __init__(self, ssm: SecretParameters, name: str) -> None:
        self._ssm = ssm
        self.name = name

    @property
    def words(self) -> str:
        """What names it behind `secret set` and the like."""
        *_, source, _, kind = self.name.split("/")
        return f"{source} --parameter {kind}"

    @property
    def kind(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]

    def read(self) -> Held | None:
        """Read it; None where there is none.

        Raises
        ------
        ParameterError
            When SSM refuses, or cannot be reached.
        """
        try:
            found = self._ssm.get_parameter(Name=self.name, WithDecryption=True)["Parameter"]
            described = self._ssm.describe_parameters(
                ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": [self.name]}]
            )["Parameters"]
        except (BotoCoreError, ClientError) as error:
            if _code(error) == "ParameterNotFound":
                return None
            raise ParameterError(f"{self.name}: cannot be read ({_code(error)})") from None
        lines = [line.strip() for line in str(found["Value"]).splitlines()]
        key_id = str(described[0].get("KeyId", "")) if described else ""
        return Held(tuple(line for line in lines if line), found["LastModifiedDate"], key_id)

    def create(self, value: str, key_id: str = "") -> bool:
        """Write the first value; False where there is a parameter already.

        Parameters
        ----------
        key_id : str
            The KMS key to encrypt it with; empty for the account's own.

        Raises
        ------
        ParameterError
            When SSM refuses, or cannot be reached.
        """
        try:
            self._put([value], overwrite=False, key_id=key_id)
        except ParameterError as error:
            if "ParameterAlreadyExists" in str(error):
                return False
            raise
        return True

    def write(self, values: list[str], held: Held) -> None:
        """Write values in the place of those that it holds, under the same key.

        Raises
        ------
        ParameterError
            When they are too many or too long, SSM refuses, or it cannot be reached.
        """
        if len(values) > MOST_SECRETS:
            raise ParameterError(
                f"{self.name}: has {len(held.values)} values, and {MOST_SECRETS} can count; one "
                "has to go first",
                then=f"secret retire {self.words} --value {len(held.values)}",
            )
        size = len("\n".join(values).encode())
        if size > LONGEST_VALUE:
            raise ParameterError(
                f"{self.name}: the values would have {size:,} bytes together, and a parameter "
                f"holds {LONGEST_VALUE:,}; one has to go first",
                then=f"secret retire {self.words} --value {len(held.values)}",
            )
        self._put(values, overwrite=True, key_id=held.key_id)

    def _put(self, values: list[str], *, overwrite: bool, key_id: str) -> None:
        # Without it, SSM would change to the account's own key.
        key = {"KeyId": key_id} if key_id else {}
        try:
            self._ssm.put_parameter(
                Name=self.name,
                Value="\n".join(values),
                Type="SecureString",
                Overwrite=overwrite,
                **key,
            )
        except (BotoCoreError, ClientError) as error:
            raise ParameterError(f"{self.name}: cannot be written ({_code(error)})") from None


def _code(error: BotoCoreError | ClientError) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return type(error).__name__
