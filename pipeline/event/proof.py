"""What a source has whose requests are proved by something else than an HMAC or a token."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline.event.secrets import SecretUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.outcomes import Reason
    from pipeline.event.secrets import SecretsOf


class ProofOfBody:
    """A kind of proof: its class is in a module that only sources of its kind load."""

    @property
    def door_header(self) -> str:
        """The header of a proof that is a credential: checked before the envelope, and not in it.

        Empty where the proof travels, and is checked behind the stream as well.
        """
        return ""

    @property
    def scheme(self) -> str:
        """What `Authorization` begins with, where the proof is there and travels."""
        return ""

    @property
    def address_of_keys(self) -> str:
        """Where its keys are, if its settings name an address."""
        return ""

    @cached_property
    def last_made(self) -> list[tuple[Sequence[bytes], Any]]:
        """The values that were last asked for, and what was made of them."""
        return []

    def made_of(self, known: Sequence[bytes], make: Callable[[Sequence[bytes]], Any]) -> Any:
        """Make keys of values, once for as long as they serve: the store gives the same tuple."""
        for values, made in self.last_made:
            if values is known:
                return made
        made = make(known)
        if type(known) is tuple:
            self.last_made[:] = [*self.last_made[-3:], (known, made)]
        return made

    def each_made(
        self,
        source: CompiledSource,
        several: Iterable[Sequence[bytes]],
        make: Callable[[Sequence[bytes]], Any],
    ) -> Iterator[Any]:
        """Make keys of values as they are known, then as they are now.

        Raises
        ------
        SecretUnavailableError
            When the last of them make none.
        """
        broken: SecretUnavailableError | None = None
        for known in several:
            try:
                made = self.made_of(known, make)
            except SecretUnavailableError as error:
                broken = SecretUnavailableError(f"source {source.name}: {error}")
                continue  # it may have been mended since it was read
            broken = None
            yield made
        if broken:
            raise broken

    def find_fault(
        self,
        source: CompiledSource,
        secrets_of: SecretsOf,
        headers: Mapping[str, str],
        body: bytes,
        arrived_ms: int,
    ) -> tuple[Reason, str] | None:
        """Tell why a request is not proved; None where it is. See `signatures.find_fault`."""
        raise NotImplementedError

    def address_to_visit(self, body: bytes) -> str:  # noqa: ARG002 - most have none
        """Return what a proved request asks the receiver to visit, and is no event then."""
        return ""
