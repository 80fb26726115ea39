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
        self._last_is_parameter = {
            (http_method, parts[:-1]): route
            for (http_method, parts), route in self._routes.items()
            if parts[-1].startswith("{")
        }

    def find(self, http_method: str, raw_path: str) -> Route | None:
        """Find the route of a request.

        Parameters
        ----------
        raw_path : str
            Still percent-encoded; a slash at its end makes no difference, as on API Gateway.
        """
        parts = tuple(unquote(part) for part in raw_path.strip("/").split("/"))
        found = self._routes.get((http_method, parts))
        # A part as it is written goes before a parameter, and a parameter is never empty.
        if found is None and parts[-1]:
            found = self._last_is_parameter.get((http_method, parts[:-1]))
        return found
