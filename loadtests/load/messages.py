"""The messages that a load test's queues had, as the consumer noted them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The last line: everything was read.
END = "end\n"


class MessagesError(PipelineError):
    """What the consumer noted is broken."""


class Message(NamedTuple):
    """A message that was received.

    Parameters
    ----------
    sent : float
        When it could be received, in epoch seconds.
    tokens : tuple[str, ...]
        The tokens in it, each once.
    """

    id: str
    sent: float
    tokens: tuple[str, ...]


def read_messages(file: Path) -> Iterator[Message]:
    """Read what a consumer noted.

    Raises
    ------
    MessagesError
        When it did not come to its end.
    """
    with file.open(encoding="ascii") as lines:
        for line in lines:
            if line == END:
                return
            try:
                identifier, sent, *tokens = line.split()
                yield Message(identifier, int(sent) / 1000, tuple(tokens))
            except ValueError:
                raise MessagesError(f"{file.name}: a line is broken off") from None
    raise MessagesError(f"{file.name}: the last line is missing; not everything was read")
