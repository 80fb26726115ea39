"""How long a sender asks to wait: 429, Retry-After, counts of requests that are left, and words."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.event.compiled_poll import RateLimitSettings
    from pipeline.polling.http_client import HttpResponse

#: No answer may silence a feed for longer; after it, the sender is asked again.
LONGEST_PAUSE_SECONDS = 3_600.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_GUESS_SECONDS = 300.0
#: GitHub's secondary limit names no time: "wait for at least one minute", and longer after each
#: further refusal (docs.github.com, "Rate limits for the REST API"). Its words are all that tells a
#: 403 of it from one for a permission that lacks: requests are left in both.
_SECONDARY_SECONDS = 60.0
_SECONDARY = re.compile(
    rb"rate[\s_-]?limit|abuse detection|too many requests|throttl", re.IGNORECASE
)
_LOOKED_AT_BYTES = 8_192


def asked_pause(
    answer: HttpResponse, settings: RateLimitSettings | None, now: float, refusals: int
) -> float | None:
    """Tell for how many seconds a refused request asks to wait.

    Parameters
    ----------
    now : float
        Epoch seconds.
    refusals : int
        How often in a row it was refused before: a sender that names no time, or always 0, is
        asked less and less often.

    Returns
    -------
    float | None
        None where the answer is no refusal for the rate.
    """
    after = _retry_after(answer.headers.get("retry-after", ""), now)
    reset = _until_reset(answer, settings, now)
    # GitHub refuses with 403 too (docs.github.com, "Rate limits for the REST API").
    left = None if settings is None else _remaining(answer, settings)
    secondary = after is None and left != 0 and _is_secondary(answer, left)
    limited = answer.status == 429 or (
        (answer.status == 403 and (after is not None or left == 0 or secondary))
        or (answer.status == 503 and after is not None)
    )
    if not limited:
        return None
    growth = 2.0 ** min(refusals, 20)
    if secondary:
        # The reset header counts the requests of the primary limit, of which some are left.
        return min(_SECONDARY_SECONDS * growth, LONGEST_PAUSE_SECONDS)
    guess = min(_FIRST_PAUSE_SECONDS * growth, _LONGEST_GUESS_SECONDS)
    asked = after if after is not None else reset
    return min(max(asked if asked is not None else 0.0, guess), LONGEST_PAUSE_SECONDS)


def _is_secondary(answer: HttpResponse, left: int | None) -> bool:
    """Tell whether a request was refused for its rate though the count says that some are left."""
    if answer.status == 429:
        return left is not None
    says = _SECONDARY.search(answer.body, 0, _LOOKED_AT_BYTES)
    return answer.status == 403 and says is not None


def pause_ahead(answer: HttpResponse, settings: RateLimitSettings | None, now: float) -> float:
    """Tell for how many seconds to wait so that the reserve is left for others; 0 for none."""
    if settings is None:
        return 0.0
    remaining = _remaining(answer, settings)
    if remaining is None or remaining > settings.reserve:
        return 0.0
    return min(_until_reset(answer, settings, now) or 0.0, LONGEST_PAUSE_SECONDS)


def _retry_after(text: str, now: float) -> float | None:
    """Read Retry-After: seconds or an HTTP date (RFC 9110, 10.2.3)."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _remaining(answer: HttpResponse, settings: RateLimitSettings) -> int | None:
    text = answer.headers.get(settings.remaining_header, "").strip()
    return int(text[:9]) if text.isascii() and text.isdigit() else None


def _until_reset(
    answer: HttpResponse, settings: RateLimitSettings | None, now: float
) -> float | None:
    text = answer.headers.get(settings.reset_header, "").strip() if settings else ""
    if not (text.isascii() and text.isdigit()):
        return None
    # A second more: the header has whole seconds.
    return max(int(text[:12]) - now + 1.0, 0.0)
