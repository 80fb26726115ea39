"""How many requests a second a machine sustains: what it did in the best moments of a ramp."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loadtests.load.journal import Accepted
    from loadtests.load.messages import Message

#: Long beside the batching window of one second, short beside a ramp.
WINDOW_SECONDS = 5


def capacity(accepted: Iterable[Accepted], messages: Iterable[Message]) -> float:
    """Return the most requests a second that were accepted while as many came out at the end.

    What is accepted faster than it is processed makes a backlog, and what is processed faster than
    it is accepted comes out of one. So of each five seconds the lesser of both counts; the best
    five seconds of a ramp are the capacity.

    Parameters
    ----------
    accepted : Iterable[Accepted]
        Of a ramp from little to more than the machine can do; all are accounted for.
    messages : Iterable[Message]
        What came out: fewer than were accepted, as copies and forged requests end before.

    Returns
    -------
    float
        Requests a second; 0 for less than five seconds, or where nothing came out.
    """
    answered = [one.answered for one in accepted]
    sent = [message.sent for message in messages]
    if not answered or not sent:
        return 0.0
    start = min(answered)
    # A message stands for all the requests that were accepted for each that came out.
    worth = len(answered) / len(sent)
    pairs = zip(_windows(answered, start), _windows(sent, start), strict=False)
    return max((min(taken, out * worth) for taken, out in pairs), default=0) / WINDOW_SECONDS


def _windows(times: Sequence[float], start: float) -> list[int]:
    """Count what lies in each five whole seconds after the start."""
    seconds = [0] * (max(0, int(max(times) - start)) + 1)
    for at in times:
        if at >= start:
            seconds[int(at - start)] += 1
    seconds.pop()  # the last second may have ended early
    sums = [0, *accumulate(seconds)]
    return [after - before for before, after in zip(sums, sums[WINDOW_SECONDS:], strict=False)]
