"""What the comparison of an hour found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pipeline.reconciliation.comparison import StreamReader, UserRecord

if TYPE_CHECKING:
    from datetime import datetime

NAMED: Final = 5
"""Records of each reader, shards and unreadable lines that a line of the log names."""

_LONGEST_ID = 200


@dataclass
class Tally:
    """How often something was found, and the first few of what was."""

    count: int = 0
    examples: list[Any] = field(default_factory=list)

    def add(self, found: object) -> None:
        """Count it."""
        self.count += 1
        if self.count <= NAMED:
            self.examples.append(found)


@dataclass
class Reconciliation:
    """What the comparison of an hour found.

    Parameters
    ----------
    compared : int
        User records that one reader or both account for.
    given_up : int
        User records that are accounted for by failure records of a mapping.
    lacking : dict[StreamReader, Tally]
        Of what was compared, the records that a reader does not account for.
    not_compared : Tally
        Shards for which the time did not suffice.
    unreadable : Tally
        Objects and lines that could not be read, and why.
    """

    hour: datetime
    compared: int = 0
    given_up: int = 0
    lacking: dict[StreamReader, Tally] = field(
        default_factory=lambda: {reader: Tally() for reader in StreamReader}
    )
    not_compared: Tally = field(default_factory=Tally)
    unreadable: Tally = field(default_factory=Tally)

    def add_unmatched(self, shard: str, reader: StreamReader, record: UserRecord) -> None:
        """Count a record of a shard that a reader does not account for."""
        sequence, identifier = record
        self.lacking[reader].add(
            {"shard": shard, "sequence_number": str(sequence), "id": identifier[:_LONGEST_ID]}
        )

    @property
    def unmatched(self) -> dict[str, int]:
        """Reader to how many records it lacks."""
        return {reader.value: tally.count for reader, tally in self.lacking.items()}

    @property
    def matches(self) -> bool:
        """Whether all that was compared is with both readers."""
        return not any(tally.count for tally in self.lacking.values())

    @property
    def complete(self) -> bool:
        """Whether all of the hour was compared."""
        return not (self.not_compared.count or self.unreadable.count)

    @property
    def summary(self) -> dict[str, Any]:
        """What the log says: numbers, and a few of what they stand for."""
        return {
            "hour": self.hour.isoformat(),
            "compared": self.compared,
            "given_up": self.given_up,
            "unmatched": self.unmatched,
            "lacking": {
                reader.value: tally.examples
                for reader, tally in self.lacking.items()
                if tally.count
            },
            "not_compared": {"shards": self.not_compared.count, "some": self.not_compared.examples},
            "unreadable": {"lines": self.unreadable.count, "some": self.unreadable.examples},
        }
