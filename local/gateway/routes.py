"""Finds the method that serves a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.gateway.model import Route


@dataclass
class _Node:
    methods: dict[str, Route] = field(default_factory=dict)
    children: dict[str, _Node] = field(default_factory=dict)
    parameter: tuple[str, _Node] | None = None
    greedy: tuple[str, _Node] | None = None

    def child(self, part: str) -> _Node:
        if part.startswith("{") and part.endswith("+}"):
            self.greedy = self.greedy or (part[1:-2], _Node())
            return self.greedy[1]
        if part.startswith("{"):
            self.parameter = self.parameter or (part[1:-1], _Node())
            return self.parameter[1]
        return self.children.setdefault(part, _Node())


class Router:
    """The tree of an API's resources.

    A literal part goes before a parameter, and a parameter before a greedy one. A resource that
    matches but lacks the method gives way to the next one that has it: recorded from API Gateway
    for OPTIONS on a resource with POST alone beside `{proxy+}`.

    Parameters
    ----------
    routes : Iterable[Route]
        All methods.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for part in route.resource_path.strip("/").split("/"):
                node = node.child(part) if part else node
            node.methods[route.http_method] = route

    def find(self, http_method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
        """Find the route of a request, and its path parameters.

        Parameters
        ----------
        raw_path : str
            Still percent-encoded; a slash at its end makes no difference, as on API Gateway.
        """
        parts = [unquote(part) for part in raw_path.strip("/").split("/")]
        return self._search(self._root, http_method, parts if parts != [""] else [])

    def _search(
        self, node: _Node, http_method: str, parts: list[str]
    ) -> tuple[Route, dict[str, str]] | None:
        if not parts:
            route = node.methods.get(http_method) or node.methods.get("ANY")
            return (route, {}) if route else None
        first, rest = parts[0], parts[1:]
        if first in node.children and (
            found := self._search(node.children[first], http_method, rest)
        ):
            return found
        if node.parameter and first:
            name, child = node.parameter
            if found := self._search(child, http_method, rest):
                found[1][name] = first
                return found
        if node.greedy:
            name, child = node.greedy
            if found := self._search(child, http_method, []):
                found[1][name] = "/".join(parts)
                return found
        return None
