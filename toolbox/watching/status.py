"""How a deployment is at one moment, and what of that puts events at risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.runtime.metrics import REMARKS, TIME_NOT_UNDERSTOOD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings.deployment_alarms import AlarmSettings

#: What few sources have, and what an operator should look into.
RARE = (*REMARKS.values(), TIME_NOT_UNDERSTOOD)
COUNTERS = ("Received", "Delivered", "Duplicate", "Rejected", "Ignored", *RARE)
REDRIVE = "-redrive"


class WatchError(PipelineError):
    """A deployment cannot be looked at."""


@dataclass(frozen=True)
class SourceState:
    """What came from one source.

    Parameters
    ----------
    per_minute : Mapping[str, float]
        The counters, each on average over the last minutes.
    last_event : float | None
        When its last event was processed, in epoch seconds; None for none within a day.
    """

    name: str
    per_minute: Mapping[str, float]
    last_event: float | None


@dataclass(frozen=True)
class ConsumerState:
    """How far a consumer of the stream is behind; None when it was not called of late."""

    name: str
    age_seconds: float | None


@dataclass(frozen=True)
class QueueState:
    """What is in a queue; the age is None where it is empty or where nothing measures it."""

    name: str
    waiting: int
    taken: int
    oldest_seconds: float | None

    @property
    def messages(self) -> int:
        """How many messages it has, those that someone works on included."""
        return self.waiting + self.taken


@dataclass(frozen=True)
class FeedState:
    """How far a polled feed is behind, when it was polled last, and why it stands as it does."""

    source: str
    feed: str
    lag_seconds: float | None
    polled: float | None
    why: str = ""


@dataclass(frozen=True)
class AccountState:
    """What the comparisons of the stream's two consumers found within a day.

    Parameters
    ----------
    compared : float
        When the last of them ended, in epoch seconds.
    records : int
        How many records were compared.
    unmatched : Mapping[str, int]
        Consumer to how many of these it does not account for.
    left_out : int
        Shards for which the time did not suffice, and lines that could not be read.
    """

    compared: float
    records: int
    unmatched: Mapping[str, int]
    left_out: int


@dataclass(frozen=True)
class Status:
    """A deployment at one moment.

    Parameters
    ----------
    as_of : float
        When, in epoch seconds.
    minutes : int
        Over how many minutes rates are averages.
    accounts : AccountState | None
        None where they were not compared within a day.
    alarms : tuple[str, ...] | None
        The alarms that are on; None where no alarm watches.
    """

    deployment: str
    as_of: float
    minutes: int
    sources: tuple[SourceState, ...]
    consumers: tuple[ConsumerState, ...]
    tickets: QueueState
    queues: tuple[QueueState, ...]
    feeds: tuple[FeedState, ...]
    accounts: AccountState | None = None
    alarms: tuple[str, ...] | None = None

    def risks(self, thresholds: AlarmSettings) -> list[str]:
        """Say what needs someone.

        Where alarms watch, they are right: they know the stage's own thresholds. Elsewhere it is
        judged by these.

        Parameters
        ----------
        thresholds : AlarmSettings
            For a deployment without alarms.
        """
        if self.alarms is not None:
            return [f"alarm {name}" for name in self.alarms]
        return list(self._judged(thresholds))

    def _judged(self, thresholds: AlarmSettings) -> Iterator[str]:
        minutes = {
            "fan-out": thresholds.fan_out_age_minutes,
            "archiver": thresholds.archiver_age_minutes,
        }
        for consumer in self.consumers:
            limit = minutes.get(consumer.name, thresholds.archiver_age_minutes) * 60
            if consumer.age_seconds is not None and consumer.age_seconds >= limit:
                yield f"the {consumer.name} is {consumer.age_seconds:.0f} s behind"
        yield from self._accounts_judged()
        if self.tickets.messages >= thresholds.tickets:
            yield f"{self.tickets.messages} tickets wait"
        for queue in self.queues:
            if queue.name.endswith(REDRIVE) and queue.messages:
                yield f"{queue.messages} messages in {queue.name}"
            age = queue.oldest_seconds
            if age is not None and age >= thresholds.delivery_age_minutes * 60:
                yield f"{queue.name} has waited for {age:.0f} s"
        for feed in self.feeds:
            lag = feed.lag_seconds
            if lag is not None and lag >= thresholds.poll_lag_minutes * 60:
                why = f"; {feed.why}" if feed.why else ""
                yield f"feed {feed.feed} of {feed.source} is {lag:.0f} s behind{why}"

    def _accounts_judged(self) -> Iterator[str]:
        if self.accounts is None:
            return
        for consumer, number in self.accounts.unmatched.items():
            if number:
                yield f"the {consumer} does not account for {number} records"
        if self.accounts.left_out:
            yield f"{self.accounts.left_out} shards or lines of the archive were not compared"
