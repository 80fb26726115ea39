"""What the page of all replays shows, and what its forms ask for."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.archive.keys import ArchiveKind
from pipeline.event.outcomes import Reason
from pipeline.replay.engine import REPLAY_LIMIT
from pipeline.replay.filters import FilterError
from pipeline.replay.job import Job, JobError, new_job_id
from toolbox.replaying.counts import known_before, left_out
from toolbox.replaying.dry_run import dry_run
from toolbox.replaying.history import windows_of
from toolbox.replaying.plan import ReplayPlan, job_store, resumed
from toolbox.replaying.wishes import Wishes, event_types, make_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.replay.filters import Filter
    from pipeline.replay.windows import DeduplicationWindow
    from toolbox.console.scene import ConsoleScene

#: Jobs of the list; the newest.
MOST_JOBS = 50
_DRY_SECONDS = 20
_LONGEST_WHY = 1_000
#: The fields of the form that narrow a replay.
NARROWING = ("source", "type", "reason", "id", "from", "to")
FIELDS = ("kind", *NARROWING, "everything", "rate", "limit", "force")


@dataclass(frozen=True)
class JobRow:
    """A replay of the history."""

    id: str
    status: str
    who: str
    why: str
    sent: int
    left_out: int


@dataclass(frozen=True)
class ReplaysPage:
    """What was replayed, and what would be.

    Parameters
    ----------
    asked : Mapping[str, str]
        The form's fields, as they were filled in.
    dry : Mapping[str, Any]
        What `mozdef-ef replay --dry-run --json` prints; empty where nobody asked.
    bounds : tuple[str, ...]
        What of it was not looked at.
    running : str
        The job that this console runs; empty where it runs none.
    """

    asked: Mapping[str, str]
    sources: tuple[str, ...]
    jobs: tuple[JobRow, ...]
    dry: Mapping[str, Any] = field(default_factory=dict)
    bounds: tuple[str, ...] = ()
    running: str = ""
    kinds: tuple[str, ...] = tuple(ArchiveKind)
    reasons: tuple[str, ...] = tuple(Reason)
    fields: tuple[str, ...] = FIELDS

    @property
    def before(self) -> list[str]:
        """What is known of earlier deliveries, in lines."""
        return known_before(self.dry.get("before", {}))

    def document(self) -> dict[str, Any]:
        """Return what the JSON twin has."""
        return {
            "jobs": [vars(one) for one in self.jobs],
            "running": self.running,
            "dry_run": dict(self.dry),
            "bounds": list(self.bounds),
        }


def say_nothing(_lines: object) -> None:
    """Take what is said of broken folders: the page of sources says it."""


def windows_for(scene: ConsoleScene) -> Callable[[], Mapping[str, DeduplicationWindow]]:
    """Return what reads for how long the deduplication table remembers each source's events."""
    return lambda: windows_of(scene.folders(), say_nothing)


def read_replays(
    scene: ConsoleScene,
    asked: Mapping[str, str],
    running: str,
    *,
    dry: bool,
    enough: Callable[[], bool],
) -> ReplaysPage:
    """Read the history and, where it is asked for, what a replay would send.

    Parameters
    ----------
    enough : Callable[[], bool]
        Tells that the page has asked enough of AWS.
    """
    page: dict[str, Any] = {}
    if dry:
        end, bounds = time.monotonic() + _DRY_SECONDS, list[str]()
        plan = _plan(scene, asked)
        document, ended = dry_run(
            plan, plan.history(), stop=lambda: enough() or time.monotonic() > end
        )
        if not ended:
            bounds.append(
                f"this is of the first {plan.job.counts.get('read', 0):,} lines that were read, "
                "and not of all; narrow the time to see all"
            )
        page = {"dry": document, "bounds": tuple(bounds)}
    jobs = job_store(scene.where)
    newest = deque(jobs.ids(), MOST_JOBS)
    rows = []
    for name in reversed(newest):
        try:
            rows.append(_row(jobs.load(name)))
        except JobError as error:
            rows.append(JobRow(name, "cannot be read", "", str(error), 0, 0))
    filled = {name: asked.get(name, "") for name in (*FIELDS, "why")}
    sources = tuple(sorted({*scene.folders(), *scene.where.parameters}))
    return ReplaysPage(filled, sources, tuple(rows), running=running, **page)


def _row(job: Job) -> JobRow:
    who, why = " ".join(map(str, job.who.values())), str(job.options.get("why", ""))
    return JobRow(job.id, job.status, who, why, job.counts.get("sent", 0), left_out(job.counts))


def why_of(asked: Mapping[str, str]) -> str:
    """Return why somebody replays.

    Raises
    ------
    FilterError
        When nothing was said, or too much.
    """
    why = asked.get("why", "").strip()
    if not why:
        raise FilterError("say why: it is kept with who and when")
    if len(why) > _LONGEST_WHY:
        raise FilterError(f"why: at most {_LONGEST_WHY:,} characters")
    return why


def options_of(asked: Mapping[str, str]) -> dict[str, Any]:
    """Return a job's options of a form.

    Raises
    ------
    FilterError
        When a number is none.
    """
    return {
        "rate": _number(asked, "rate", 0.01, 1e6),
        "limit": int(_number(asked, "limit", 1, 100) or REPLAY_LIMIT),
        "force": bool(asked.get("force")),
    }


def _number(asked: Mapping[str, str], name: str, least: float, most: float) -> float | None:
    text = asked.get(name, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise FilterError(f"{name}: expected a number from {least:g} to {most:g}, not {text!r:.40}")
    return number


def _plan(scene: ConsoleScene, asked: Mapping[str, str], why: str = "") -> ReplayPlan:
    now = datetime.now(UTC)
    kind = asked.get("kind", "")
    if kind and kind not in set(ArchiveKind):
        raise FilterError(f"{kind!r:.40}: no such part of the archive")
    wishes = Wishes(
        kinds=[kind] if kind else [],
        sources=asked.get("source", "").split(),
        event_types=asked.get("type", "").split(),
        reasons=asked.get("reason", "").split(),
        ids=asked.get("id", "").split(),
        start=asked.get("from", "").strip() or None,
        end=asked.get("to", "").strip() or None,
        everything=bool(asked.get("everything")),
    )
    wanted = make_filter(wishes, now)
    options = options_of(asked) | ({"why": why} if why else {})
    job = Job(new_job_id(now), scene.where.who(), now.isoformat(), wanted.to_json(), options)
    return _made(scene, job, wanted)


def _made(scene: ConsoleScene, job: Job, wanted: Filter) -> ReplayPlan:
    types = event_types(wanted, scene.folders, say_nothing, scene.where.parameters)
    return ReplayPlan(scene.where, job, wanted, types, windows=windows_for(scene))


def planned(scene: ConsoleScene, asked: Mapping[str, str]) -> ReplayPlan:
    """Return a replay that a form asks for, with its first state written."""
    plan = _plan(scene, asked, why_of(asked))
    plan.begin()
    return plan


def planned_again(scene: ConsoleScene, job_id: str, asked: Mapping[str, str]) -> ReplayPlan:
    """Return a replay that was stopped, to go on."""
    rate = _number(asked, "rate", 0.01, 1e6)
    job, wanted = resumed(scene.where, job_id, datetime.now(UTC), rate)
    again = {"who": scene.where.who(), "why": why_of(asked), "at": datetime.now(UTC).isoformat()}
    job.options = {**job.options, "resumed": [*job.options.get("resumed", []), again]}
    return _made(scene, job, wanted)
