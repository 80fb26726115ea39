"""What the page of one replay shows: how far it is, its record, and what became of what it sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.replay.job import DISTRIBUTED, DONE, Job
from toolbox.console.replays.became import Became
from toolbox.replaying.counts import MEANINGS, known_before
from toolbox.replaying.plan import is_alive, job_store, known_job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolbox.console.replays.running import ConsoleReplay
    from toolbox.console.scene import ConsoleScene

_SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class ReplayPage:
    """One replay.

    Parameters
    ----------
    sent, read_bytes : int
        How far it is; of the replay that this console runs beyond its last checkpoint.
    is_here : bool
        Whether this console runs it, and so can stop it.
    is_running : bool
        Whether somebody runs it, as its state says.
    failure : str
        What ended it in this console.
    became : Became
        What became of what it sent; nothing is known while it runs.
    """

    job: Job
    sent: int
    read_bytes: int
    is_here: bool
    is_running: bool
    stops: bool = False
    failure: str = ""
    became: Became = field(default_factory=Became)
    meanings: Mapping[str, str] = field(default_factory=lambda: MEANINGS)

    @property
    def percent(self) -> int:
        """How much of what it reads was read."""
        if self.job.status == DONE:
            return 100
        return min(self.read_bytes * 100 // self.job.size, 100) if self.job.size else 0

    @property
    def who(self) -> str:
        """Who began it."""
        return " ".join(map(str, self.job.who.values()))

    @property
    def filter(self) -> str:
        """What it looks for."""
        return str(dict(self.job.filter))

    @property
    def can_resume(self) -> bool:
        """Whether it can go on."""
        ended = self.job.status in {DONE, DISTRIBUTED} or self.is_running
        return not ended and not self.job.options.get("tickets")

    @property
    def before(self) -> list[str]:
        """What is known of earlier deliveries, in lines."""
        return known_before(self.job.before)

    @property
    def problems(self) -> list[dict[str, Any]]:
        """The first lines that were left out."""
        return self.job.problems[:_SHOWN_PROBLEMS]

    def document(self) -> dict[str, Any]:
        """Return the job's state, and how far it is here."""
        return {
            **self.job.to_json(),
            "sent_so_far": self.sent,
            "running_here": self.is_here,
            "failure": self.failure,
            "became": dict(self.became.counts),
            "bound": self.became.bound,
        }


def read_replay(scene: ConsoleScene, job_id: str, here: ConsoleReplay | None) -> ReplayPage:
    """Read the state of one replay.

    Raises
    ------
    NotFoundError
        When there is no such job.
    """
    job = known_job(job_store(scene.where), job_id)
    if here is None:
        alive = is_alive(job, datetime.now(UTC))
        return ReplayPage(job, job.counts.get("sent", 0), job.read_bytes, False, alive)
    runs = not here.ended.is_set()
    return ReplayPage(
        job,
        max(here.sent, job.counts.get("sent", 0)),
        max(here.read_bytes, job.read_bytes),
        is_here=runs,
        is_running=runs,
        stops=runs and here.stop_wanted(),
        failure=here.failure,
    )
