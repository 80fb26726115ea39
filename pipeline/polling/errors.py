"""What can end a poll before its feed is drained."""

from __future__ import annotations

from pipeline.errors import PipelineError


class PollError(PipelineError):
    """The poll cannot go on; the next one begins at the last position that was written.

    Attributes
    ----------
    answer : str
        How the answer begins that was refused, printable and without secrets; for the log alone.
    """

    answer: str = ""


class ConnectionTroubleError(PollError):
    """An exchange broke off, or its server had a fault: another try may do."""


class LeaseLostError(PollError):
    """Another poll of the feed has taken the lock, so this one may not write any more."""


class OutOfTimeError(PollError):
    """The invocation's time is up; nothing is wrong."""


class PauseError(PollError):
    """The sender asks for a pause that is longer than the invocation."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the sender asks for a pause of {seconds:.0f} s")
        self.seconds = seconds
