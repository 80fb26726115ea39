"""A job's state, which is its audit record too: `jobs/replay/<job>.json` in the archive."""

from __future__ import annotations

import gzip
import re
import secrets
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.archive.keys import REPLAYS_PREFIX
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.unpacking import UnpackError, split_lines, unpack
from pipeline.aws.seams import Bucket, ReadableBucket
from pipeline.errors import PipelineError
from pipeline.replay.filters import MOST_IDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

RUNNING, INTERRUPTED, DONE, FAILED = "running", "interrupted", "done", "failed"
DISTRIBUTED = "distributed"
LARGEST_STATE = 8 * 1024 * 1024
_ID = re.compile(r"replay-\d{8}T\d{6}-[0-9a-f]{4}")
_MADE = len("replay-20261123T210000")
_STATE = ".json"
_PROBLEM = {"what": "", "key": "", "line": 0, "explanation": ""}
_ABSENT = {"404", "NoSuchKey"}


class JobError(PipelineError):
    """A job's state is not there, is broken, or cannot be written."""


def new_job_id(now: datetime) -> str:
    """Return the id of a new job."""
    return f"replay-{now.astimezone(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def begun_at(job: str) -> datetime:
    """Return when a job was made, to the second; JobError when its id names no time."""
    try:
        return datetime.strptime(check_job_id(job)[:_MADE], "replay-%Y%m%dT%H%M%S").replace(
            tzinfo=UTC
        )
    except ValueError:
        raise JobError(f"{job}: names no time; remove its state from {REPLAYS_PREFIX}") from None


def check_job_id(job: str) -> str:
    """Return the id; JobError when it is none, as it becomes part of a key."""
    if not _ID.fullmatch(job):
        raise JobError(f"{job!r:.60} is no id of a job", then="replay list")
    return job


@dataclass(frozen=True)
class JobPosition:
    """How far a job is: this many lines of this object, and all objects before it, are sent.

    Parameters
    ----------
    key : str
        The object; empty at the very start.
    line : int | None
        The last line that was dealt with; None when the object is done.
    """

    key: str = ""
    line: int | None = None
    size: int = 0


@dataclass
class Job:
    """What a job is to do, who wants it, and how far it is."""

    id: str
    who: Mapping[str, str]
    created: str
    filter: Mapping[str, Any]
    options: Mapping[str, Any]
    objects: int = 0
    size: int = 0
    status: str = RUNNING
    updated: str = ""
    finished: str = ""
    read_bytes: int = 0
    position: JobPosition = JobPosition()
    counts: dict[str, int] = field(default_factory=dict)
    by: dict[str, int] = field(default_factory=dict)
    #: `<count>/<source>` to how many, of what the ledger was asked about.
    before: dict[str, int] = field(default_factory=dict)
    problems: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the document that is kept."""
        document = {one.name: getattr(self, one.name) for one in fields(self)}
        place = self.position
        return document | {
            "position": {"key": place.key, "line": place.line, "size": place.size},
            "counts": dict(self.counts),
            "by": dict(self.by),
            "before": dict(self.before),
            "problems": list(self.problems),
        }

    @classmethod
    def from_json(cls, document: Any) -> Job:
        """Read the document; JobError when it is none."""
        try:
            # Jobs of earlier versions asked the ledger nothing.
            document = {"before": {}, **document}
            values = {one.name: document[one.name] for one in fields(cls)}
            place = values["position"]
            values["position"] = JobPosition(
                str(place["key"]),
                None if place["line"] is None else int(place["line"]),
                int(place["size"]),
            )
            for name in ("counts", "by", "before"):
                values[name] = {str(one): int(n) for one, n in values[name].items()}
            for name in ("filter", "options", "who"):
                values[name] = dict(values[name].items())
            values["problems"] = [_PROBLEM | dict(one.items()) for one in values["problems"]]
            for name in ("objects", "size", "read_bytes"):
                values[name] = int(values[name])
            values["updated"] = _moment(values["updated"])
            job = cls(**values)
            check_job_id(job.id)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise JobError(f"the job's state is broken ({error!r}); start a new job") from None
        return job


def _moment(text: str) -> str:
    if text and datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"{text!r:.40} has no time zone")
    return text


class JobBucket(ReadableBucket, Bucket, Protocol):
    """A bucket that keeps jobs (Amazon S3)."""


class JobStore:
    """Keeps jobs in the archive, so that another machine can go on."""

    def __init__(self, s3: JobBucket, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def save(self, job: Job) -> None:
        """Write a job's state.

        Raises
        ------
        JobError
            When it cannot be written: going on would lose the place.
        """
        content = orjson.dumps(job.to_json(), option=orjson.OPT_INDENT_2)
        self._put(f"{REPLAYS_PREFIX}{job.id}{_STATE}", content)

    def load(self, job: str) -> Job:
        """Read a job's state; JobError when there is none."""
        content = self._get(f"{REPLAYS_PREFIX}{check_job_id(job)}{_STATE}")
        if content is None:
            raise JobError(f"{job}: no such job", then="replay list")
        try:
            return Job.from_json(orjson.loads(content))
        except orjson.JSONDecodeError:
            raise JobError(f"{job}: its state is no JSON; start a new job") from None

    def ids(self) -> Iterator[str]:
        """Return the ids of all jobs, the oldest first."""
        for name in ArchiveListing(self._s3, self._bucket).names(REPLAYS_PREFIX):
            job = name.removesuffix(_STATE)
            if _ID.fullmatch(job):
                yield job

    def save_ids(self, job: str, ids: Iterable[str]) -> str:
        """Keep the ids that a job looks for; give the key of their object."""
        key = f"{REPLAYS_PREFIX}{check_job_id(job)}.ids.gz"
        text = b"".join(orjson.dumps(one) + b"\n" for one in sorted(ids))
        self._put(key, gzip.compress(text, mtime=0), "application/gzip")
        return key

    def load_ids(self, key: str) -> frozenset[str]:
        """Read the ids that a job looks for; JobError when they are not there."""
        content = self._get(key) if key.startswith(REPLAYS_PREFIX) else None
        if content is None:
            raise JobError(
                f"{key!r:.200}: the ids that the job looks for are gone; start a new job"
            )
        try:
            lines = [line for _, line in split_lines(unpack([content])) if line]
            return frozenset(str(orjson.loads(line)) for line in lines)
        except (UnpackError, orjson.JSONDecodeError) as error:
            raise JobError(f"{key}: broken ({error}); start a new job") from None

    def write(self, key: str, document: Any) -> None:
        """Write another record; JobError when it cannot be written."""
        self._put(key, orjson.dumps(document, option=orjson.OPT_INDENT_2))

    def _put(self, key: str, content: bytes, kind: str = "application/json") -> None:
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=kind)
        except (BotoCoreError, ClientError) as error:
            raise JobError(f"s3://{self._bucket}/{key}: cannot be written: {error}") from None

    def _get(self, key: str) -> bytes | None:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
            if answer["ContentLength"] > max(LARGEST_STATE, MOST_IDS * 32):
                raise JobError(f"s3://{self._bucket}/{key}: too large for what it should be")
            return bytes(answer["Body"].read())
        except (BotoCoreError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            if code in _ABSENT:
                return None
            raise JobError(f"s3://{self._bucket}/{key}: cannot be read: {error}") from None
