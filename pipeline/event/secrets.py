"""What the checks of signatures and tokens ask of secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.event.compiled_source import CompiledSource

#: The secrets of a source as they are known, then as they are now: one or more, all of which count.
#: The second are asked for only where none of the first fits.
SecretsOf = Callable[["CompiledSource"], Iterable[Sequence[bytes]]]


class SecretError(PipelineError):
    """A secret cannot be read. Never a reason to let someone in, nor to turn someone away."""


class SecretUnavailableError(SecretError):
    """It is this one source's fault, and lasts until someone mends it: missing, forbidden, wrong.

    Nothing is gained by asking again for each event, and no other source may wait for it.
    """
