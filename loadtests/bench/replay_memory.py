"""The memory of a replay that reads an archive of 2 GB, in a process of its own.

`python -m loadtests.bench.replay_memory FILE` writes the figures. The archive is made while it is
read: an object exists only as long as a range of it is asked for. The objects are not compressed,
so that 2 GB are read, unpacked and checked.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson

from loadtests.bench.archives import replayer
from loadtests.bench.measuring import WorkError
from loadtests.bench.stand_ins import ranged
from pipeline.archive.keys import RAW_PREFIX, hour_folder, source_folder
from pipeline.archive.objects import PART_BYTES, ObjectRef
from toolbox.traffic.examples import real_payloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.aws.seams import ReadableBucket
    from pipeline.replay.engine import Replayer

ARCHIVE_BYTES = 2 * 10**9
#: Two ranges of each object are read, as of a large object of a deployment.
OBJECT_BYTES = PART_BYTES * 3 // 2
SAMPLES = 20
_FOLDER = f"{RAW_PREFIX}{source_folder('github')}{hour_folder(1_795_464_503)}"
_ROOT = Path(__file__).parents[2]


class GeneratedArchive:
    """An S3 client of an archive that is made while it is read.

    Parameters
    ----------
    size : int
        How many bytes it has, at least.
    """

    def __init__(self, size: int) -> None:
        bodies = [json.dumps(example) for _, example in real_payloads()]
        self._bodies = [json.dumps(body).encode() for body in bodies]
        mean = sum(map(len, self._bodies)) / len(self._bodies) + len(_line(0, b""))
        self._lines = round(OBJECT_BYTES / mean)
        self.objects = -(-size // len(self._object(0)))

    @property
    def events(self) -> int:
        """How many events it has."""
        return self.objects * self._lines

    def refs(self) -> Iterator[ObjectRef]:
        """Return its objects."""
        for number in range(self.objects):
            yield ObjectRef(f"{_FOLDER}{number}.gz", OBJECT_BYTES)

    def get_object(self, *, Key: str, Range: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        """Return a range of an object."""
        return ranged(self._object(int(Key.rpartition("/")[2].removesuffix(".gz"))), Range)

    def _object(self, number: int) -> bytes:
        first = number * self._lines
        lines = (
            _line(place, self._bodies[place % len(self._bodies)])
            for place in range(first, first + self._lines)
        )
        return gzip.compress(b"".join(lines), compresslevel=0, mtime=0)


def _line(number: int, body: bytes) -> bytes:
    head = {
        "id": f"request-{number}",
        "source": "github",
        "event_type": "",
        "shard_id": "shardId-000000000000",
        "sequence_number": str(number),
        "arrived": "2026-11-23T20:08:23.123+00:00",
        "envelope_id": f"request-{number}",
        "envelope_source": "github",
        "envelope_ts": 1_795_464_503_123,
        "key": f"delivery-{number}",
        "ip": "192.0.2.1",
        "headers": {"content-type": "application/json", "x-github-event": "push"},
        "replay": "",
        "replays": 0,
    }
    return orjson.dumps(head)[:-1] + b',"body":' + body + b"}\n"


def memory_mb() -> float:
    """Return the memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(size: int = ARCHIVE_BYTES) -> dict[str, Any]:
    """Replay such an archive in this process.

    Parameters
    ----------
    size : int
        Its bytes.

    Returns
    -------
    dict[str, Any]
        `growth_mb`, by how much the most is above what was held after a tenth; `samples_mb` by the
        share that was read; `events`, `read_mb` and `before_mb`.
    """
    archive = GeneratedArchive(size)
    before, samples = memory_mb(), dict[int, float]()

    def sample(replay: Replayer) -> None:
        share = replay.read_bytes * SAMPLES // (archive.objects * OBJECT_BYTES)
        samples[share] = max(samples.get(share, 0.0), memory_mb())

    # Its objects are named by itself, so nothing lists them.
    replay = replayer(cast("ReadableBucket", archive), sample)
    sample(replay)
    replay.run(archive.refs())
    sample(replay)
    if replay.counts["sent"] != archive.events:
        raise WorkError(f"replay: {dict(replay.counts)}, expected {archive.events} sent")
    warm = max(held for share, held in samples.items() if share <= SAMPLES // 10)
    return {
        "events": archive.events,
        "read_mb": round(replay.read_bytes / 10**6),
        "before_mb": round(before, 1),
        "growth_mb": round(max(samples.values()) - warm, 1),
        "samples_mb": {
            f"{share * 100 // SAMPLES}%": round(held, 1) for share, held in sorted(samples.items())
        },
    }


def run(folder: Path) -> dict[str, Any]:
    """Measure it in a fresh process."""
    file = folder / "replay-memory.json"
    subprocess.run(
        [sys.executable, "-m", "loadtests.bench.replay_memory", str(file)], cwd=_ROOT, check=True
    )
    found: dict[str, Any] = json.loads(file.read_bytes())
    return {"replay_memory_mb": found["growth_mb"], "replay_memory": found}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(measure()), encoding="utf-8")
