"""How large a run is, and how its events are shared out over the ways in and over its time."""

from __future__ import annotations

from dataclasses import dataclass

from loadtests.million.traffic import events_of_a_request

#: Of the time: requests are sent, and the rest is for what is behind then.
_SENDING = 0.8
#: Of the events: fetched by the poller, and put on the stream again by replays.
_POLLED, _REPLAYED = 0.15, 0.10
#: Of the time: what a replay puts on the stream again was sent in it.
_REPLAYED_TIME = 0.04
#: Of the time: the API publishes. The poller comes each minute, and one that was killed holds its
#: lock for five.
_PUBLISHING = 0.6
_SHORT_SECONDS = 150.0
_DISK_SECONDS = 8.0


@dataclass(frozen=True)
class MillionPlan:
    """What is wanted of a run.

    Parameters
    ----------
    events : int
        How many events are accepted at least.
    most_seconds : float
        In which time.
    drain : float
        Seconds without progress until the rest is given up.
    sending_seconds : float
        How long is sent and struck; 0 for most of the time.
    """

    events: int
    most_seconds: float
    seed: int
    drain: float
    sending_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """How long is sent and struck."""
        return self.sending_seconds or self.most_seconds * _SENDING

    @property
    def polled(self) -> int:
        """How many events the API publishes."""
        return int(self.events * _POLLED)

    @property
    def rate(self) -> float:
        """Requests a second."""
        # A few more than needed: some are refused, and while nothing listens all are.
        sent = self.events * (1.0 - _POLLED - _REPLAYED) * 1.04
        return sent / events_of_a_request() / self.seconds

    @property
    def publishing_seconds(self) -> float:
        """For how long the API publishes; 0 for all at once."""
        return self.seconds * _PUBLISHING if self.seconds >= _SHORT_SECONDS else 0.0

    @property
    def replayed_seconds(self) -> float:
        """Of how many seconds the requests are replayed each time."""
        short = self.seconds < _SHORT_SECONDS
        return self.seconds * (1.0 if short else _REPLAYED_TIME)

    @property
    def strike_seconds(self) -> float:
        """How long a disk is full, or a clock wrong."""
        return min(_DISK_SECONDS, self.seconds / 8)
