"""Finds the method that serves a request."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.gateway.model import Route


class Router:
    """The methods of an API by path and name."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = {
            (each.http_method, tuple(each.resource_path.strip("/").split("/"))): each
            for each in routes
        }

    def find(self, http_method: str, raw_path: str) -> Route | None:
        """Find the route of a request.

        Parameters
        ----------
        raw_path : str
            Still percent-encoded; a slash at its end makes no difference, as on API Gateway.
        """
        parts = tuple(unquote(part) for part in raw_path.strip("/").split("/"))
        return self._routes.get((http_method, parts))
