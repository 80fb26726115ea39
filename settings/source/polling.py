"""How a REST API is pulled, as `source.yaml` describes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.event.compiled_poll import FEED_HEADER
from pipeline.event.fields import compile_path
from settings.faults import refuse
from settings.source.base import FieldPath, HeaderName, Model

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FEED_HEADER", "Feed", "Polling"]

FeedName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
VariableName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
KeepsDays = Annotated[
    int | None,
    Field(
        ge=1,
        le=3_650,
        description="for how many days the sender keeps an event: a feed begins at what is kept; "
        "a feed's own is in the place of the API's",
    ),
]
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_TIMES = {"since", "until"}


class HeaderCredential(Model):
    """A token in a header."""

    type: Literal["header"]
    header: HeaderName = "Authorization"
    prefix: str = ""


class BasicCredential(Model):
    """HTTP Basic; the parameter holds `user:password`."""

    type: Literal["basic"]


class OAuth2Credential(Model):
    """OAuth 2.0 client credentials (RFC 6749, 4.4); the parameter holds `client_id:secret`."""

    type: Literal["oauth2"]
    token_path: str = Field(pattern=r"^/", description="path of the token endpoint, same host")
    scope: str = ""
    client_authentication: Literal["basic", "body"] = "basic"


class DuoCredential(Model):
    """Duo's signed requests; the parameter holds `integration_key:secret_key`."""

    type: Literal["duo"]


class LinkPagination(Model):
    """The next page is the URL with `rel="next"` in the Link header."""

    type: Literal["link"]
    more: Literal["next", "events"] = Field(
        default="next",
        description="when there is another page: 'next': while there is such a link; 'events': "
        "while a page has events, for senders that always give the link",
    )

    @property
    def more_pages(self) -> str:
        """When there is another page."""
        return self.more


class CursorPagination(Model):
    """The next page is asked for with a value from this one's body."""

    type: Literal["cursor"]
    cursor: FieldPath = Field(description="path of the cursor; a list is joined with commas")
    more: FieldPath | None = Field(
        default=None, description="path of a boolean; without it, a cursor means another page"
    )
    send_in: Literal["query", "body"] = "query"
    send_as: str = Field(min_length=1, description="name of the parameter, or key of the body")
    alone: bool = Field(
        default=False, description="whether the cursor takes the place of all that came first"
    )

    @property
    def more_pages(self) -> tuple[str, ...] | None:
        """The path, in parts, of what tells whether there is another page."""
        return compile_path(self.more)


class Window(Model):
    """A walk over a span of time, after which the next span begins.

    The spans overlap, for events that the sender shows late; copies are dropped downstream.
    """

    overlap_seconds: int = Field(ge=0, le=86_400)
    settle_seconds: int = Field(
        default=0, ge=0, le=3_600, description="how far behind now a span ends"
    )


class RateLimitHeaders(Model):
    """Which headers tell how many requests are left, beside 429 and Retry-After."""

    remaining_header: HeaderName
    reset_header: HeaderName = Field(description="epoch seconds at which the count begins anew")
    reserve: int = Field(default=1, ge=0, description="requests to leave for others")


class Feed(Model):
    """One list of events of an API, with a checkpoint of its own.

    Values of `query`, `first_query`, `body` and `first_body` may hold {since} and {until}.
    """

    method: Literal["GET", "POST"] = "GET"
    path: str = Field(pattern=r"^/")
    query: dict[str, str] = Field(default_factory=dict)
    first_query: dict[str, str] = Field(
        default_factory=dict, description="further parameters where there is no cursor or link yet"
    )
    body: dict[str, str | int] = Field(default_factory=dict)
    first_body: dict[str, str | int] = Field(default_factory=dict)
    times: Literal["iso8601", "seconds", "milliseconds"] = "iso8601"
    events: FieldPath = Field(description="path of the list of events; '.' when the body is it")
    pagination: Annotated[LinkPagination | CursorPagination, Field(discriminator="type")]
    window: Window | None = Field(
        default=None,
        description="for APIs whose cursor ends with the pages; without it the cursor or link of "
        "the last page is kept, and the next poll goes on from there",
    )
    keeps_days: KeepsDays = None
    empty_when_absent: bool = Field(
        default=False,
        description="whether any object without the list means that there is nothing new; without "
        "it, one that has the cursor's key or a word of success",
    )

    @model_validator(mode="after")
    def _placeholders(self) -> Feed:
        refuse(self._wrong())
        return self

    def _wrong(self) -> Iterator[tuple[str, str]]:
        for key in ("query", "first_query", "body", "first_body"):
            for name, value in getattr(self, key).items():
                for unknown in sorted(set(_PLACEHOLDER.findall(str(value))) - _TIMES):
                    known = "use {since} and {until}"
                    yield f"{key}.{name}", f"{{{unknown}}} is unknown; {known}"
                if "{until}" in str(value) and self.window is None:
                    yield f"{key}.{name}", "{until} is the end of a window; set 'window'"
        for key in ("body", "first_body"):
            if getattr(self, key) and self.method != "POST":
                yield key, "only with method POST"


class Polling(Model):
    """How an API is pulled, and how often."""

    every_minutes: int = Field(default=1, ge=1, le=1_440)
    base_url: str = Field(pattern=r"^https://", description="may hold {variables}; no path at end")
    variables: dict[VariableName, str] = Field(
        default_factory=dict, description="name to what a deployment must write there"
    )
    credential: Annotated[
        HeaderCredential | BasicCredential | OAuth2Credential | DuoCredential,
        Field(discriminator="type"),
    ]
    headers: dict[HeaderName, str] = Field(
        default_factory=dict, description="sent with every request, such as Accept"
    )
    rate_limit: RateLimitHeaders | None = None
    start_hours_ago: int = Field(
        default=24, ge=0, le=24 * 365, description="where the very first poll begins"
    )
    keeps_days: KeepsDays = None
    feeds: dict[FeedName, Feed] = Field(min_length=1)

    @property
    def parameter(self) -> Literal["api_credential"]:
        """The last part of the name of the parameter that holds the credential."""
        return "api_credential"

    @field_validator("base_url")
    @classmethod
    def _no_slash_at_end(cls, base_url: str) -> str:
        return base_url.rstrip("/")

    @model_validator(mode="after")
    def _variables_are_known(self) -> Polling:
        texts = [self.base_url, *(feed.path for feed in self.feeds.values())]
        used = {name for text in texts for name in _PLACEHOLDER.findall(text)}
        refuse(
            (f"variables.{name}", "must be described there and used in a URL")
            for name in sorted(used ^ set(self.variables))
        )
        return self
