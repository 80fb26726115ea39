"""What operators and machines do to a running pipeline, beside the faults of its services."""

from __future__ import annotations

import itertools
import json
import random
import resource
import shutil
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loadtests.soak.plan import Strike
from local.endpoints import FILE_NAME
from local.sandbox import WORKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_kinesis.type_defs import ShardTypeDef

    from loadtests.million.traffic import Senderside
    from loadtests.soak.arena import PipelineUnderTest

_COMMAND = Path(sys.executable).parent / "mozdef-ef"
_UNLIMITED = resource.RLIM_INFINITY
_WRONG_SECONDS = (-120.0, -30.0, -5.0, 2.0, 8.0)
_REPLAYED = ("okta", "cloudflare-logpush")
_MOST_TRIES = 60
_PAUSE_SECONDS = 1.0
#: The archiver waits for some seconds, and writes objects then.
_ARCHIVED = timedelta(seconds=15)


class SteppingClock:
    """The clock of all handlers' processes, in a folder of the run's state."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.worker = folder / "clocked_worker.py"
        shutil.copyfile(Path(__file__).with_name("clocked_worker.py"), self.worker)
        (folder / "worker").write_text(str(WORKER))
        (folder / "clock.seen").touch()
        self._file = folder / "clock"
        self._one_at_a_time = threading.Lock()
        self.step(0.0)

    def step(self, wrong: float) -> None:
        """Have it be wrong by some seconds from now on."""
        new = self._file.with_suffix(".new")
        # One step can begin while another one ends.
        with self._one_at_a_time:
            new.write_text(str(wrong))
            new.rename(self._file)

    def seen(self) -> int:
        """How many processes have lived through a step."""
        return len(self._file.with_suffix(".seen").read_text().splitlines())


@contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """Have no file of a process grow: each of its writes fails, as on a disk that is full."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, _UNLIMITED))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (_UNLIMITED, _UNLIMITED))


class Operator:
    """Carries out strikes of the plan that nobody else does.

    Parameters
    ----------
    emulator_pid : int
        The process whose disk is full at times.
    next_assembly : Path
        What is deployed in the midst of the run.
    lasts : float
        Seconds that a disk is full, or a clock wrong.
    replayed_seconds : float
        Of how many seconds the requests are replayed each time.
    """

    def __init__(
        self,
        arena: PipelineUnderTest,
        senders: Senderside,
        clock: SteppingClock,
        *,
        emulator_pid: int,
        next_assembly: Path,
        lasts: float,
        replayed_seconds: float,
        seed: int,
    ) -> None:
        self._arena = arena
        self._senders = senders
        self._clock = clock
        self._emulator_pid = emulator_pid
        self._next_assembly = next_assembly
        self._lasts = lasts
        self._dice = random.Random(f"operator-{seed}")  # noqa: S311 - to be repeated
        self._one_replay, self._one_reshard = threading.Lock(), threading.Lock()
        self._replayed = timedelta(seconds=replayed_seconds)
        self._replayed_until = datetime.now(UTC)
        self._new_secret = ""
        self._written = threading.Event()
        self.over = threading.Event()
        self.counts: Counter[str] = Counter()
        self.jobs: list[str] = []
        self.replayed = 0
        self.notes: list[str] = []

    def strikes(self) -> Mapping[Strike, Callable[[], None]]:
        """Return what is done for which strike."""
        return {
            Strike.SPLIT: self.split,
            Strike.MERGE: self.merge,
            Strike.ROTATE: self.rotate,
            Strike.USE_NEW_SECRET: self.use_new_secret,
            Strike.DEPLOY: self.deploy,
            Strike.DISK_FULL: self.fill_disk,
            Strike.CLOCK: self.step_clock,
            Strike.REPLAY: self.replay,
        }

    def split(self) -> None:
        """Split the open shard with the widest range in its middle."""
        with self._one_reshard:
            shard = max(self._open_shards(), key=lambda one: _range(one)[1] - _range(one)[0])
            first, last = _range(shard)
            middle = str((first + last) // 2 + 1)
            self._arena.client("kinesis").split_shard(
                StreamName=self._arena.endpoints.stream,
                ShardToSplit=shard["ShardId"],
                NewStartingHashKey=middle,
            )
        self.counts[Strike.SPLIT] += 1

    def merge(self) -> None:
        """Merge the two neighbours with the narrowest ranges."""
        with self._one_reshard:
            shards = sorted(self._open_shards(), key=_range)
            one, other = min(
                itertools.pairwise(shards), key=lambda pair: _range(pair[1])[1] - _range(pair[0])[0]
            )
            self._arena.client("kinesis").merge_shards(
                StreamName=self._arena.endpoints.stream,
                ShardToMerge=one["ShardId"],
                AdjacentShardToMerge=other["ShardId"],
            )
        self.counts[Strike.MERGE] += 1

    def rotate(self) -> None:
        """Write GitHub's new secret before the old one: docs/operating.md."""
        self._new_secret = f"new-{self._senders.secrets['github']}"
        (where,) = (
            each["Name"]
            for page in self._arena.client("ssm").get_paginator("describe_parameters").paginate()
            for each in page["Parameters"]
            if "/github/" in each["Name"]
        )
        self._arena.client("ssm").put_parameter(
            Name=where,
            Value=f"{self._new_secret}\n{self._senders.secrets['github']}",
            Type="SecureString",
            Overwrite=True,
        )
        self._written.set()
        self.counts[Strike.ROTATE] += 1

    def use_new_secret(self) -> None:
        """Have GitHub sign with the new secret from now on, once it is written."""
        while not self._written.wait(_PAUSE_SECONDS):
            if self.over.is_set():
                return
        if not self._senders.rotated:
            self._senders.secrets["github"] = self._new_secret
            self._senders.rotated = True
            self.counts[Strike.USE_NEW_SECRET] += 1

    def deploy(self) -> None:
        """Deploy the changed schema; senders know of it once it is through."""
        self._arena.deploy(self._next_assembly)
        self._senders.numbers = True
        self.counts[Strike.DEPLOY] += 1

    def fill_disk(self) -> None:
        """Have the disk of the archive full for some seconds, and see that it is."""
        s3, bucket = self._arena.client("s3"), self._arena.endpoints.archive_bucket
        with full_disk(self._emulator_pid):
            try:
                s3.put_object(Bucket=bucket, Key="jobs/probe-of-the-disk", Body=b"x")
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 500:
                    self.counts[Strike.DISK_FULL] += 1
            self.over.wait(self._lasts)

    def step_clock(self) -> None:
        """Have the handlers' clock be wrong for some seconds."""
        self._clock.step(self._dice.choice(_WRONG_SECONDS))
        self.over.wait(self._lasts)
        self._clock.step(0.0)

    def clock_steps_seen(self) -> int:
        """How many processes have lived through a step of the clock."""
        return self._clock.seen()

    def replay(self) -> None:
        """Deliver again what has come in lists lately, and is in the archive by now.

        Where nothing is there yet it is tried again: a busy archiver is some seconds behind.
        """
        for _ in range(_MOST_TRIES):
            if self._replay_once() or self.over.wait(_PAUSE_SECONDS):
                return

    def _replay_once(self) -> bool:
        """Return whether something was put on the stream again."""
        with self._one_replay:
            until = datetime.now(UTC) - min(self._replayed / 2, _ARCHIVED)
            start = max(self._replayed_until, until - self._replayed)
            words = ["replay", "--kind", "raw", "--force", "--json", "--rate", "5000"]
            words += [word for source in _REPLAYED for word in ("--source", source)]
            words += ["--from", start.isoformat(), "--to", until.isoformat()]
            words += ["--state", str(self._arena.state)]
            job = self._run(words)
            if not job:  # the run is over
                return False
            self.jobs.append(job["id"])
            if not (sent := int(job["counts"].get("sent", 0))):
                return False
            self._replayed_until = until
            self.replayed += sent
            self.counts[Strike.REPLAY] += 1
            return True

    def _run(self, words: list[str]) -> Any:
        """Run the command once there is a pipeline: one that is just being replaced is not."""
        for _ in range(_MOST_TRIES):
            if not (self._arena.state / FILE_NAME).exists():
                self.over.wait(_PAUSE_SECONDS)
                continue
            done = subprocess.run([_COMMAND, *words], capture_output=True, text=True, check=False)
            try:
                return json.loads(done.stdout)
            except json.JSONDecodeError:
                self.notes.append(f"replay: {done.stderr.strip()[-300:]}")
                if self.over.wait(_PAUSE_SECONDS):
                    break
        return None

    def _open_shards(self) -> list[ShardTypeDef]:
        pages = self._arena.client("kinesis").get_paginator("list_shards")
        return [
            shard
            for page in pages.paginate(StreamName=self._arena.endpoints.stream)
            for shard in page["Shards"]
            if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        ]


def _range(shard: ShardTypeDef) -> tuple[int, int]:
    keys = shard["HashKeyRange"]
    return int(keys["StartingHashKey"]), int(keys["EndingHashKey"])
