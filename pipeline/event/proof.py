"""What a source has whose requests are proved by something else than an HMAC or a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

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
