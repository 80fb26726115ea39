"""Secrets in SSM parameters: cached, decrypted, refreshed; each line is one that counts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import ClientError

from pipeline.aws.limits import PARAMETER_ERRORS
from pipeline.event.secrets import SecretError, SecretUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.aws.seams import Parameters
    from pipeline.event.compiled_source import CompiledSource

#: How many lines a parameter can have. Each signature is compared with all of them.
MOST_SECRETS = 10
#: How long a value serves, in seconds. A rotation keeps the former value for longer than this.
MAX_AGE_SECONDS = 300.0
#: A value that did not match may be old, but a forger must not make us ask SSM each time.
REFRESH_AFTER_SECONDS = 15.0
#: While SSM fails, a batch of many events must not ask it once for each of them.
FAILURE_SECONDS = 1.0
#: What one parameter lacks is mended by a person: asking for it each second would not help, and a
#: stranger could have it asked for. What was mended is noticed after so long.
UNAVAILABLE_SECONDS = 15.0


class KeysAt(Protocol):
    """Finds public keys at addresses."""

    def at(self, address: str, *, refresh: bool = False, named: bool = True) -> tuple[bytes, ...]:
        """Return what is at an address: one value, or none where there is nothing.

        Parameters
        ----------
        refresh : bool
            Look again, unless that was done a moment ago.
        named : bool
            Whether a request names the address, and no settings do.

        Raises
        ------
        SecretError
            When it cannot be told now.
        """
        ...


class SecretStore:
    """Reads the secrets of sources.

    Parameters
    ----------
    project, stage : str
        Parts of the parameters' names: `/<project>/<source>/<stage>/<kind>`.
    clock : Callable[[], float]
        Seconds, monotonic.
    keys : KeysAt | None
        What finds public keys; None where no source has any at an address.
    """

    def __init__(
        self,
        ssm: Parameters,
        project: str,
        stage: str,
        clock: Callable[[], float] = time.monotonic,
        keys: KeysAt | None = None,
    ) -> None:
        self._ssm = ssm
        self._project = project
        self._stage = stage
        self._clock = clock
        self._keys = keys
        self._cache: dict[str, tuple[float, tuple[bytes, ...]]] = {}
        self._failures: dict[str, tuple[float, SecretError]] = {}

    def secrets(self, source: str, kind: str, *, refresh: bool = False) -> tuple[bytes, ...]:
        """Return the secrets of a source: the current one first, then all others that count.

        Parameters
        ----------
        kind : str
            `auth_token` or `signing_secret`.
        refresh : bool
            Ask SSM again unless the value is younger than 15 seconds.

        Raises
        ------
        SecretUnavailableError
            When the parameter is missing, forbidden, not to be decrypted, empty, or has more than
            `MOST_SECRETS` lines. SSM is asked for it four times a minute at most.
        SecretError
            When SSM does not answer.
        """
        name = f"/{self._project}/{source}/{self._stage}/{kind}"
        known = self._cache.get(name)
        if known is not None:
            age = self._clock() - known[0]
            if age < (REFRESH_AFTER_SECONDS if refresh else MAX_AGE_SECONDS):
                return known[1]
        failure = self._failures.get(name)
        if failure is not None and self._clock() - failure[0] < _serves(failure[1]):
            raise failure[1]
        try:
            values = self._read(name)
        except SecretError as error:
            self._failures[name] = (self._clock(), error)
            raise
        self._cache[name] = (self._clock(), values)
        return values

    def of(self, source: CompiledSource, address: str = "", /) -> Iterator[tuple[bytes, ...]]:
        """Return the secrets of a source as they are known, then as they are now.

        Parameters
        ----------
        address : str
            Where a public key is instead; see `SecretsOf`.

        Raises
        ------
        SecretError
            As `secrets` does.
        """
        for refresh in (False, True):
            if not address:
                yield self.secrets(source.name, source.secret_kind, refresh=refresh)
            elif self._keys is None:
                raise SecretUnavailableError(f"{address}: this process looks no keys up")
            else:
                proof = source.proof_of_body
                named = proof is None or proof.address_of_keys != address
                # What the receiver let in names an address of the sender's: it is waited for.
                named = named and source.ingest != "receiver"
                yield self._keys.at(address, refresh=refresh, named=named)

    def _read(self, name: str) -> tuple[bytes, ...]:
        try:
            answer = self._ssm.get_parameter(Name=name, WithDecryption=True)
        except Exception as error:
            # Whatever else botocore raises, the answer is the same: nothing can be decided now.
            raise _trouble(name, error) from error
        values = tuple(line.encode() for line in lines_of(answer["Parameter"]["Value"]))
        if not values:
            raise SecretUnavailableError(f"parameter {name}: is empty; write the secret into it")
        if len(values) > MOST_SECRETS:
            raise SecretUnavailableError(
                f"parameter {name}: has {len(values)} values, and {MOST_SECRETS} can count; take "
                "out those that no sender uses any more"
            )
        return values


def lines_of(value: object) -> list[str]:
    """Return the lines of a parameter's value that have something in them."""
    return [text for line in str(value).splitlines() if (text := line.strip())]


def _serves(error: SecretError) -> float:
    return UNAVAILABLE_SECONDS if isinstance(error, SecretUnavailableError) else FAILURE_SECONDS


def _trouble(name: str, error: Exception) -> SecretError:
    if not isinstance(error, ClientError):
        return SecretError(f"parameter {name}: cannot be read ({type(error).__name__})")
    code = str(error.response["Error"]["Code"])
    lasting = (
        code in PARAMETER_ERRORS and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    )
    if not lasting:
        return SecretError(f"parameter {name}: cannot be read ({code})")
    return SecretUnavailableError(
        f"parameter {name}: cannot be read ({code}); see that it exists and that the function's "
        "role may read and decrypt it"
    )
