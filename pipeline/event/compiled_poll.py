"""How a REST API is pulled, as the poller reads it; `compiled_source` says how it is filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Annotated

    from pipeline.event.fields import Dotted, FieldPath, Lower

#: The header of an envelope that names the feed of a pulled event.
FEED_HEADER = "X-Poll-Feed"
#: In the id of an envelope that holds a list of events, which was set aside as one.
BEYOND = "-beyond-"


@dataclass(frozen=True, kw_only=True, eq=False)
class CredentialSettings:
    """How requests prove who asks; empty where a kind of credential has no such setting."""

    type: str
    header: str = ""
    prefix: str = ""
    token_path: str = ""
    scope: str = ""
    client_authentication: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class PaginationSettings:
    """How the next page is found; empty where a kind of pagination has no such setting.

    `more` is `next` or `events` for links, and a path (or None) for cursors.
    """

    type: str
    more: Annotated[str | FieldPath | None, "more_pages"]
    cursor: Dotted = ()
    send_in: str = ""
    send_as: str = ""
    alone: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowSettings:
    """A walk over a span of time."""

    overlap_seconds: int
    settle_seconds: int


@dataclass(frozen=True, kw_only=True, eq=False)
class RateLimitSettings:
    """Which headers tell how many requests are left."""

    remaining_header: Lower
    reset_header: Lower
    reserve: int


@dataclass(frozen=True, kw_only=True, eq=False)
class FeedSettings:
    """One list of events of an API."""

    name: str
    method: str
    path: str
    query: Mapping[str, str]
    first_query: Mapping[str, str]
    body: Mapping[str, str | int]
    first_body: Mapping[str, str | int]
    times: str
    events: Dotted
    pagination: PaginationSettings
    window: WindowSettings | None
    keeps_days: int | None
    empty_when_absent: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class PollSettings:
    """An API. Where it is, is for the deployment to say: the poller's environment has it."""

    every_minutes: int
    credential: CredentialSettings
    headers: Mapping[str, str]
    rate_limit: RateLimitSettings | None
    start_hours_ago: int
    keeps_days: int | None
    feeds: Mapping[str, FeedSettings]
