"""The files that pages load: a fixed table, with a hash of the content in each name.

They come from `node_modules`, at the versions of `package-lock.json`, and from `static/`. Nothing
is fetched from elsewhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipeline.errors import PipelineError
from toolbox.synthesis import REPOSITORY

if TYPE_CHECKING:
    from starlette.requests import Request

_NODE = REPOSITORY / "node_modules"
_STATIC = Path(__file__).parent / "static"
#: Name → file.
FILES = {
    "console.css": _STATIC / "console.css",
    "console.js": _STATIC / "console.js",
    "icon.svg": _STATIC / "icon.svg",
    "locale.js": _STATIC / "locale.js",
    "htmx.js": _NODE / "htmx.org" / "dist" / "htmx.min.js",
    "sse.js": _NODE / "htmx-ext-sse" / "dist" / "sse.min.js",
    "uplot.js": _NODE / "uplot" / "dist" / "uPlot.iife.min.js",
    "uplot.css": _NODE / "uplot" / "dist" / "uPlot.min.css",
    "codemirror.js": _NODE / "codemirror" / "lib" / "codemirror.js",
    "codemirror.css": _NODE / "codemirror" / "lib" / "codemirror.css",
    "codemirror-json.js": _NODE / "codemirror" / "mode" / "javascript" / "javascript.js",
    "codemirror-brackets.js": _NODE / "codemirror" / "addon" / "edit" / "matchbrackets.js",
}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}


class AssetError(PipelineError):
    """A file that pages load is not installed."""


@dataclass(frozen=True)
class Asset:
    """A file that pages load, with its address."""

    address: str
    media_type: str
    content: bytes


class Assets:
    """All of them, read once.

    Raises
    ------
    AssetError
        When one cannot be read.
    """

    def __init__(self) -> None:
        self._by_name = {name: _read(name, path) for name, path in FILES.items()}
        self._by_address = {one.address: one for one in self._by_name.values()}

    def address(self, name: str) -> str:
        """Return where a file of the table is."""
        return self._by_name[name].address

    @property
    def route(self) -> Route:
        """What answers for them."""
        return Route("/assets/{name}", self._answer)

    async def _answer(self, request: Request) -> Response:
        found = self._by_address.get(request.url.path)
        if found is None:
            return PlainTextResponse("there is no such file; load the page again\n", 404)
        return Response(found.content, headers=_FOR_EVER, media_type=found.media_type)


def _read(name: str, path: Path) -> Asset:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AssetError(
            f"{path}: {error.strerror}; 'make setup' in the repository installs what the console "
            "shows its pages with"
        ) from None
    stem, dot, ending = name.rpartition(".")
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(f"/assets/{stem}.{digest}{dot}{ending}", _TYPES[dot + ending], content)
