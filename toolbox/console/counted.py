"""boto3's clients, with each call counted: a page says how many it made, and may not make more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolbox.seams import ServiceClients

#: Of S3's dearer requests (PUT, LIST: $0.005 a thousand; Amazon S3 pricing), a cent's worth.
MOST_CALLS = 2_000


class TooManyCallsError(PipelineError):
    """A page asked more of AWS than one page may."""


class PageCalls:
    """How often one page called each service.

    Parameters
    ----------
    most : int
        So many calls are made.
    """

    def __init__(self, most: int = MOST_CALLS) -> None:
        self.most = most
        self._made: Counter[str] = Counter()

    def add(self, service: str) -> None:
        """Count a call that is about to be made.

        Raises
        ------
        TooManyCallsError
            When it would be one too many.
        """
        if self._made.total() >= self.most:
            raise TooManyCallsError(
                f"this page made {self.most:,} calls to AWS, and makes no more; ask for less, such "
                "as a narrower time"
            )
        self._made[service] += 1

    @property
    def total(self) -> int:
        """All of them."""
        return self._made.total()

    def __str__(self) -> str:
        services = ", ".join(f"{name} {number:,}" for name, number in sorted(self._made.items()))
        return f"{self.total:,} of at most {self.most:,} calls ({services or 'none'})"


class CountedClients:
    """Makes clients whose calls are counted. A factory as `ServiceClients` is."""

    def __init__(self, clients: ServiceClients, calls: PageCalls) -> None:
        self._clients: Any = clients
        self._calls = calls

    def __call__(self, service: Any, /) -> Any:
        """Return a client."""
        return CountedClient(self._clients(service), service, self._calls)


class CountedClient:
    """A client whose calls are counted."""

    def __init__(self, client: Any, service: str, calls: PageCalls) -> None:
        self._client = client
        self._service = service
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name == "get_paginator":
            return lambda operation: _CountedPages(found(operation), self._service, self._calls)
        if not callable(found) or name.startswith("_"):
            return found

        def called(*arguments: Any, **named: Any) -> Any:
            self._calls.add(self._service)
            return found(*arguments, **named)

        return called


class _CountedPages:
    def __init__(self, paginator: Any, service: str, calls: PageCalls) -> None:
        self._paginator = paginator
        self._service = service
        self._calls = calls

    def paginate(self, **request: Any) -> Iterator[Any]:
        pages = iter(self._paginator.paginate(**request))
        while True:
            self._calls.add(self._service)
            try:
                page = next(pages)
            except StopIteration:
                return
            yield page
