"""How a REST API is pulled, as the poller reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import FieldPath, path_of

if TYPE_CHECKING:
    from collections.abc import Mapping


#: The header of an envelope that names the feed of a pulled event.
FEED_HEADER = "X-Poll-Feed"


@dataclass(frozen=True)
class CredentialSettings:
    """How requests prove who asks; fields as in `source.yaml`, empty where they do not apply."""

    type: str
    header: str = "Authorization"
    prefix: str = ""
    token_path: str = ""
    scope: str = ""
    client_authentication: str = "basic"


@dataclass(frozen=True)
class PaginationSettings:
    """How the next page is found; fields as in `source.yaml`.

    `more` is `next` or `events` for links, and a path (or None) for cursors.
    """

    type: str
    more: str | FieldPath | None
    cursor: FieldPath = ()
    send_in: str = "query"
    send_as: str = ""
    alone: bool = False


@dataclass(frozen=True)
class WindowSettings:
    """A walk over a span of time."""

    overlap_seconds: int
    settle_seconds: int


@dataclass(frozen=True)
class RateLimitSettings:
    """Which headers tell how many requests are left; names in lower case."""

    remaining_header: str
    reset_header: str
    reserve: int


@dataclass(frozen=True)
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
    events: FieldPath
    pagination: PaginationSettings
    window: WindowSettings | None


@dataclass(frozen=True)
class PollSettings:
    """An API. Where it is, is for the deployment to say: the poller's environment has it."""

    every_minutes: int
    credential: CredentialSettings
    headers: Mapping[str, str]
    rate_limit: RateLimitSettings | None
    start_hours_ago: int
    feeds: Mapping[str, FeedSettings]


def read_poll_settings(plain: Mapping[str, Any]) -> PollSettings:
    """Read what the compiler wrote.

    Parameters
    ----------
    plain : Mapping[str, Any]
        `Polling` of the source's model, dumped.
    """
    limit = plain["rate_limit"]
    return PollSettings(
        every_minutes=plain["every_minutes"],
        credential=CredentialSettings(**plain["credential"]),
        headers=plain["headers"],
        rate_limit=RateLimitSettings(
            remaining_header=limit["remaining_header"].lower(),
            reset_header=limit["reset_header"].lower(),
            reserve=limit["reserve"],
        )
        if limit
        else None,
        start_hours_ago=plain["start_hours_ago"],
        feeds={name: _feed(name, feed) for name, feed in plain["feeds"].items()},
    )


def _feed(name: str, plain: Mapping[str, Any]) -> FeedSettings:
    window = plain["window"]
    values = {key: plain[key] for key in ("method", "path", "query", "first_query", "body")}
    return FeedSettings(
        name=name,
        **values,
        first_body=plain["first_body"],
        times=plain["times"],
        events=path_of(plain["events"]),
        pagination=_pagination(plain["pagination"]),
        window=WindowSettings(**window) if window else None,
    )


def _pagination(plain: Mapping[str, Any]) -> PaginationSettings:
    if plain["type"] == "link":
        return PaginationSettings(type="link", more=plain["more"])
    more = plain["more"]
    return PaginationSettings(
        type="cursor",
        more=None if more is None else path_of(more),
        cursor=path_of(plain["cursor"]),
        send_in=plain["send_in"],
        send_as=plain["send_as"],
        alone=plain["alone"],
    )
