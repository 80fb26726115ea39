"""How far a mapping has come in a shard, on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = "0"


@dataclass(frozen=True)
class Checkpoint:
    """The sequence number of the last settled record of each lane; `NOTHING` where there is none.

    Each lane has the records of some partition keys. A lane that was ahead of the others when the
    runtime was killed does not get its records again. The numbers are kept as the stream writes
    them, and compared as numbers.
    """

    lanes: tuple[str, ...]

    @property
    def start(self) -> str:
        """All up to this sequence number is settled."""
        return min(self.lanes, key=int)

    def for_lanes(self, count: int) -> Checkpoint:
        """Return the checkpoint for this many lanes.

        Another count deals the partition keys out anew, and then only what all have settled holds.
        """
        return self if len(self.lanes) == count else Checkpoint((self.start,) * count)


class CheckpointFile:
    """The checkpoint of one shard."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: Checkpoint | None = None

    def read(self, lanes: int) -> Checkpoint:
        """Return the checkpoint for this many lanes."""
        try:
            kept = json.loads(self._path.read_text())["lanes"]
        except FileNotFoundError:
            return Checkpoint((NOTHING,) * lanes)
        return Checkpoint(tuple(kept)).for_lanes(lanes)

    def write(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint."""
        if checkpoint != self._written:
            write_atomically(self._path, json.dumps({"lanes": checkpoint.lanes}))
            self._written = checkpoint
