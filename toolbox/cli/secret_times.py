"""How long a former value of a secret is still needed, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.runtime.secret_store import MAX_AGE_SECONDS

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource

#: How long API Gateway keeps an authorizer's answer (infra/application/authorizer.py).
AUTHORIZER_SECONDS = 300
#: The longest that a Lambda function runs (Lambda quotas): a poll with the old credential.
LONGEST_RUN_SECONDS = 900
HOUR = 3_600


@dataclass(frozen=True)
class NeededSpan:
    """A time that a former value is needed for, and what for."""

    seconds: int
    why: str


def spans_of(source: LoadedSource, retention_hours: int) -> list[NeededSpan]:
    """Return why a former value must stay, and for how long, from the sender's switch on.

    They follow one another, so it must stay for their sum.
    """
    settings = source.settings
    caches = NeededSpan(int(MAX_AGE_SECONDS), "functions keep a secret so long")
    if settings.poll is not None:
        return [
            caches,
            NeededSpan(LONGEST_RUN_SECONDS, "a poll that runs goes on with what it read"),
        ]
    how = settings.authentication
    remembered = NeededSpan(
        settings.deduplication_hours * HOUR,
        "the sender may try again what it made before (deduplication_hours has to cover that)",
    )
    if settings.signing is None:
        return [caches, remembered]
    from settings.source.authentication import SignedRequest

    if isinstance(how, SignedRequest) and how.timestamp is not None:
        retried = NeededSpan(
            how.timestamp.tolerance_seconds, "an older signature is refused by its own time"
        )
    else:
        retried = remembered
    # The processor checks each signature, the receiver's requests included.
    stream = NeededSpan(retention_hours * HOUR, "an event may wait on the stream so long")
    return [caches, retried, stream]


def total(spans: list[NeededSpan]) -> int:
    """Return the time in seconds that a former value is needed."""
    return sum(span.seconds for span in spans)


def in_words(seconds: float) -> str:
    """Write a time as days, hours and minutes."""
    minutes = max(int(seconds), 0) // 60
    days, hours, minutes = minutes // 1_440, minutes // 60 % 24, minutes % 60
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h")) if number]
    return " ".join([*parts, f"{minutes} min"] if minutes or not parts else parts)
