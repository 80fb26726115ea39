"""Which request fetches the page at a position, and which position follows a page."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from pipeline.event.fields import as_text, find
from pipeline.polling.errors import PollError
from pipeline.polling.http_client import HttpRequest
from pipeline.polling.links import next_link
from pipeline.polling.positions import Position
from pipeline.polling.targets import follow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.event.compiled_poll import FeedSettings, PaginationSettings
    from pipeline.polling.http_client import HttpResponse
    from pipeline.polling.pages import Page
    from pipeline.polling.targets import Target

_LONGEST_CONTINUATION = 8_192
_DAY_MS = 86_400_000
#: How much of what the sender keeps is left to it: a request takes its time, and clocks differ.
_KEPT_MARGIN_MS = 600_000


@dataclass(frozen=True)
class Step:
    """What a page leads to: the position after it, and whether the feed is drained for now."""

    position: Position
    drained: bool


@dataclass(frozen=True)
class Walk:
    """How one feed of one deployment is walked.

    Parameters
    ----------
    target : Target
        Where it is.
    keeps_days : int | None
        For how long the sender keeps an event; None where that is not known.
    """

    feed: FeedSettings
    target: Target
    headers: Mapping[str, str]
    keeps_days: int | None = None

    def kept(self, position: Position, now_ms: int) -> tuple[Position, str]:
        """Return a position that the sender still keeps, and what is passed over by it.

        A start in the far past, or a stack that was off, would be refused for ever.
        """
        if self.keeps_days is None:
            return position, ""
        oldest = now_ms - self.keeps_days * _DAY_MS
        begin = (oldest + _KEPT_MARGIN_MS) // 1000 * 1000
        until = position.until
        if 0 < position.written < oldest or (until is not None and until <= begin):
            # The link or cursor is older than all that is kept, so it leads nowhere any more.
            position = Position(min(position.since, oldest), complete=position.complete)
        if position.since >= begin or (position.next is not None and not self._repeats_since()):
            return position, ""
        note = ""
        if position.complete < begin:
            note = (
                f"the sender keeps {self.keeps_days} days: the feed begins at "
                f"{written(begin, 'iso8601')}; what is older, from "
                f"{written(position.complete, 'iso8601')} on, cannot be fetched any more"
            )
        complete = max(position.complete, begin)
        return replace(position, since=begin, complete=complete), note

    def _repeats_since(self) -> bool:
        """Tell whether the start is sent with every page, and not with the first alone."""
        feed = self.feed
        if feed.pagination.type == "link" or feed.pagination.alone:
            return False
        return any("{since}" in str(one) for one in (*feed.query.values(), *feed.body.values()))

    def begin(self, position: Position, now_ms: int) -> Position | None:
        """Begin a walk over a window where none is under way; None where it would be empty."""
        window = self.feed.window
        if window is None or position.until is not None:
            return position
        # Whole seconds, as they are written for most APIs: nothing may lie between two windows.
        until = (now_ms - window.settle_seconds * 1000) // 1000 * 1000
        return replace(position, until=until, next=None) if until > position.complete else None

    def request(self, position: Position) -> HttpRequest:
        """Return the request for the page at a position.

        Raises
        ------
        PollError
            When its link leads to another host: the deployment's address has changed.
        """
        feed, page = self.feed, self.feed.pagination
        if page.type == "link" and position.next is not None:
            what = "the position's link"
            url = follow(self.target.base_url, position.next, self.target.origin, what)
            return self._request(url, self._filled(feed.body, position))
        first = position.next is None
        query = self._filled({**feed.query, **(feed.first_query if first else {})}, position)
        body = self._filled({**feed.body, **(feed.first_body if first else {})}, position)
        if position.next is not None:
            carrier = query if page.send_in == "query" else body
            if page.alone:
                carrier.clear()
            carrier[page.send_as] = position.next
        url = self.target.url(feed.path)
        if query:
            url += "?" + urlencode(query, quote_via=quote, safe="")
        return self._request(url, body)

    def _request(self, url: str, body: Mapping[str, Any]) -> HttpRequest:
        if self.feed.method != "POST":
            return HttpRequest("GET", url, None, self.headers)
        headers = {"Content-Type": "application/json", **self.headers}
        return HttpRequest("POST", url, json.dumps(body).encode(), headers)

    def _filled(self, values: Mapping[str, str | int], position: Position) -> dict[str, str | int]:
        return {
            name: self._fill(value, position) if isinstance(value, str) else value
            for name, value in values.items()
        }

    def _fill(self, text: str, position: Position) -> str:
        for name, when in (("{since}", position.since), ("{until}", position.until)):
            if name in text:
                text = text.replace(name, written(when or 0, self.feed.times))
        return text

    def after(
        self, position: Position, page: Page, answer: HttpResponse, url: str, asked: int
    ) -> Step:
        """Tell what follows a page.

        Parameters
        ----------
        asked : int
            When it was asked for, in milliseconds since the epoch.

        Raises
        ------
        PollError
            When the API goes round in a circle, or its link leads to another host.
        """
        position = replace(position, written=asked)
        found = self._continuation(page, answer, url)
        more = found is not None and self._more(page)
        if more and found == position.next:
            if page.events:
                raise PollError("the API gives the same continuation again, with events")
            # An empty last page that leads to itself.
            more = False
        if more:
            return Step(position.moved(found or ""), drained=False)
        if self.feed.window is not None:
            end = position.until or 0
            since = max(end - self.feed.window.overlap_seconds * 1000, 0)
            return Step(Position(since=since, complete=end, written=asked), drained=True)
        position = replace(position, complete=asked)
        # Without a continuation, the last page is asked for again: more may be appended to it.
        if found is not None and found != position.next:
            # Between polls, links may well come again while there is nothing new.
            position = position.moved(found) if page.events else replace(position, next=found)
        return Step(position, drained=True)

    def _more(self, page: Page) -> bool:
        more = self.feed.pagination.more
        if more == "events":
            return bool(page.events)
        if more is None or isinstance(more, str):
            return True
        return find(page.document, more) is True

    def _continuation(self, page: Page, answer: HttpResponse, url: str) -> str | None:
        settings = self.feed.pagination
        if settings.type == "cursor":
            found = _cursor(page, settings)
        else:
            found = next_link(answer.headers.get("link", "")) or ""
            if found:
                found = follow(url, found, self.target.origin, "the Link header's next")
        if found and len(found) > _LONGEST_CONTINUATION:
            raise PollError("the API gives a link or cursor that is too long to be kept")
        return found or None


def _cursor(page: Page, settings: PaginationSettings) -> str:
    value = find(page.document, settings.cursor)
    parts = value if isinstance(value, list) else [value]
    text = ",".join(as_text(part) for part in parts)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PollError("the API gives a cursor that is no text") from None
    return text


def written(milliseconds: int, form: str) -> str:
    """Write a time as an API wants it."""
    if form == "milliseconds":
        return str(milliseconds)
    if form == "seconds":
        return str(milliseconds // 1000)
    return f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
