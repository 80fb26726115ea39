"""What the checks of signatures and tokens ask of secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.event.compiled_source import CompiledSource


class SecretsOf(Protocol):
    """What gives the secrets and keys of sources."""

    def __call__(self, source: CompiledSource, address: str = "", /) -> Iterable[Sequence[bytes]]:
        """Return what may fit as it is known, then as it is now: one or more, all of which count.

        The second are asked for only where none of the first fits.

        Parameters
        ----------
        address : str
            Where a public key is, which the source's settings name or pin: its one value is what
            is found there. Empty for the source's parameter.

        Raises
        ------
        SecretUnavailableError
            When there is none for this source, until someone mends it.
        SecretError
            When none can be read now.
        """
        ...


def only(*secrets: bytes) -> SecretsOf:
    """Return what gives these secrets to any source, and is never read anew."""
    return lambda _source, _address="", /: (secrets,)


class SecretError(PipelineError):
    """A secret cannot be read. Never a reason to let someone in, nor to turn someone away."""


class SecretUnavailableError(SecretError):
    """It is this one source's fault, and lasts until someone mends it: missing, forbidden, wrong.

    Nothing is gained by asking again for each event, and no other source may wait for it.
    """
