"""How a deployment is at one moment, and what of that puts events at risk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.runtime.metrics import REMARKS, TIME_NOT_UNDERSTOOD
from toolbox.project.next_steps import next_step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings.deployment_alarms import AlarmSettings

#: What few sources have, and what an operator should look into.
RARE = (*REMARKS.values(), TIME_NOT_UNDERSTOOD)
COUNTERS = ("Received", "Delivered", "Duplicate", "Rejected", "Ignored", *RARE)
#: Of these a history is shown.
HISTORY = ("Received", "Delivered", "Rejected")
REDRIVE = "-redrive"
#: A throttle, or a process that ended, costs one.
HELD_UP_TRIES = 2


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
class Risk:
    """Something that needs someone.

    Parameters
    ----------
    why : str
        The last reason that is known.
    next : str
        What to type to see more, or to mend it.
    """

    what: str
    why: str = ""
    next: str = ""

    def __str__(self) -> str:
        return f"{self.what}; {self.why}" if self.why else self.what


@dataclass(frozen=True)
class HeldShard:
    """A shard of a consumer whose oldest records are tried again and again.

    Parameters
    ----------
    tries : int
        How often they were tried in vain, as far as that is known.
    age_seconds : float
        Since the oldest of them reached the stream.
    why : str
        What the last try came to.
    """

    consumer: str
    shard: str
    tries: int
    age_seconds: float
    why: str = ""


@dataclass(frozen=True)
class ConsumerState:
    """How far a consumer of the stream is behind; None when it was not called of late."""

    name: str
    age_seconds: float | None
    held: tuple[HeldShard, ...] = ()

    @property
    def oldest_unsettled(self) -> float | None:
        """The age in seconds of the oldest record that was tried in vain."""
        return max((one.age_seconds for one in self.held), default=None)


@dataclass(frozen=True)
class QueueState:
    """What is in a queue; the age is None where it is empty or where nothing measures it."""

    name: str
    waiting: int
    taken: int
    oldest_seconds: float | None
    is_there: bool = True

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
    stands_still: bool = False


@dataclass(frozen=True)
class Refusals:
    """What was rejected of late.

    Parameters
    ----------
    quarantined : Mapping[tuple[str, str], int]
        Source and reason to how many events went to quarantine within the last minutes.
    last : tuple[str, str] | None
        Source and reason of the last rejection that makes a ticket; None for none within a day.
    """

    quarantined: Mapping[tuple[str, str], int] = field(default_factory=dict)
    last: tuple[str, str] | None = None


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
    missing_secrets : tuple[str, ...]
        `<source>/<kind>` of each parameter that is not there.
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
    missing_secrets: tuple[str, ...] = ()
    refusals: Refusals = field(default_factory=Refusals)
    #: Nobody reads the queues of a laptop.
    local: bool = False

    def risks(self, thresholds: AlarmSettings) -> list[Risk]:
        """Say what needs someone, what holds events up first.

        Where alarms watch, they are right about thresholds: they know the stage's own. Elsewhere it
        is judged by these.

        Parameters
        ----------
        thresholds : AlarmSettings
            For a deployment without alarms.
        """
        found = [*self._held(), *self._secrets(), *self._queues_missing()]
        found += [*self._feeds_standing(), *self._redrives()]
        if self.alarms is not None:
            named = [Risk(f"alarm {name}", next=_ALARM) for name in self.alarms]
        else:
            named = [*self._ages(thresholds), *self._accounts_judged(), *self._waiting(thresholds)]
        return [*found, *named, *self._quarantine()]

    def _held(self) -> Iterator[Risk]:
        for consumer in self.consumers:
            for one in consumer.held:
                if one.tries < HELD_UP_TRIES:
                    continue
                yield Risk(
                    f"{one.shard} is held up at the {one.consumer}: tried {one.tries} times, the "
                    f"oldest record came {one.age_seconds:,.0f} s ago",
                    one.why,
                    f"look into its log; then {next_step('status --watch')}",
                )

    def _secrets(self) -> Iterator[Risk]:
        for name in self.missing_secrets:
            source, _, kind = name.partition("/")
            yield Risk(
                f"the secret of {source} is missing ({kind})",
                "its requests are turned away or rejected",
                next_step(f"secret set {source} --parameter {kind}"),
            )

    def _queues_missing(self) -> Iterator[Risk]:
        for queue in (self.tickets, *self.queues):
            if not queue.is_there:
                why = "what would go there is rejected: queue_unavailable"
                if queue is self.tickets:
                    why = "no ticket tells of what is rejected or given up"
                elif queue.name.endswith(REDRIVE):
                    why = "what MozDef never deletes stays in its queue"
                # A deployment of the same template leaves alone what it made before.
                again = f"end it; then {next_step('local up')}"
                again = again if self.local else next_step("cdk deploy --revert-drift")
                yield Risk(f"the queue {queue.name} is missing", why, again)

    def _feeds_standing(self) -> Iterator[Risk]:
        for feed in self.feeds:
            if feed.stands_still:
                name = f"feed {feed.feed} of {feed.source}" if feed.feed else f"feed {feed.source}"
                yield Risk(f"{name} stands still", feed.why, "see docs/polling.md and its log")

    def _redrives(self) -> Iterator[Risk]:
        for queue in self.queues:
            if queue.name.endswith(REDRIVE) and queue.messages:
                yield Risk(
                    f"{queue.messages} messages in {queue.name}",
                    "MozDef took them ten times and never deleted them",
                    next_step(f"redrive show {queue.name}"),
                )

    def _ages(self, thresholds: AlarmSettings) -> Iterator[Risk]:
        minutes = {
            "fan-out": thresholds.fan_out_age_minutes,
            "archiver": thresholds.archiver_age_minutes,
        }
        for consumer in self.consumers:
            limit = minutes.get(consumer.name, thresholds.archiver_age_minutes) * 60
            if consumer.age_seconds is not None and consumer.age_seconds >= limit:
                yield Risk(f"the {consumer.name} is {consumer.age_seconds:.0f} s behind")

    def _waiting(self, thresholds: AlarmSettings) -> Iterator[Risk]:
        if self.tickets.messages >= thresholds.tickets:
            last = self.refusals.last
            why = f"the last: {last[0]}, {last[1]}" if last else ""
            waiting = _counted(self.tickets.messages, "ticket waits", "tickets wait")
            yield Risk(waiting, why, next_step("dead-letters list"))
        for queue in self.queues:
            age = queue.oldest_seconds
            old = age is not None and age >= thresholds.delivery_age_minutes * 60
            if old and not self.local and not queue.name.endswith(REDRIVE):
                yield Risk(f"{queue.name} has waited for {age:.0f} s", "is its reader up?")
        for feed in self.feeds:
            lag = feed.lag_seconds
            if feed.stands_still:
                continue
            if lag is not None and lag >= thresholds.poll_lag_minutes * 60:
                yield Risk(f"feed {feed.feed} of {feed.source} is {lag:.0f} s behind", feed.why)

    def _quarantine(self) -> Iterator[Risk]:
        for (source, reason), number in sorted(self.refusals.quarantined.items()):
            yield Risk(
                f"quarantine grows: {_counted(number, 'event', 'events')} of {source} within "
                f"{self.minutes} minutes",
                reason,
                next_step("dead-letters list --quarantine"),
            )

    def _accounts_judged(self) -> Iterator[Risk]:
        if self.accounts is None:
            return
        for consumer, number in self.accounts.unmatched.items():
            if number:
                yield Risk(
                    f"the {consumer} does not account for {number} records",
                    next=next_step("audit"),
                )
        if self.accounts.left_out:
            yield Risk(
                f"{self.accounts.left_out} shards or lines of the archive were not compared",
                next=next_step("audit"),
            )


_ALARM = "docs/operating.md, alarms"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
