"""Pages of templates and data, and the JSON twin of each: the same data at the address + `.json`.

What senders wrote is text. Templates escape every expression, and every expression goes through
`printable_lines`, so that no character is invisible or turns the line around.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Match, Route

from toolbox.terminal.printable import printable_json, printable_lines
from toolbox.watching.document import iso_seconds, span_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import Scope

    from toolbox.console.access import ConsoleAccess
    from toolbox.console.assets import Assets

JSON = ".json"
_ESCAPED = "%2Ejson"
_EVENTS = "text/event-stream"
_CLASSES = {"delivered": "good", "duplicate": "quiet", "ignored": "quiet", "not settled": "warn"}
#: The pages of the navigation: address and name.
NAVIGATION = (
    ("/now", "Now"),
    ("/events", "Events"),
    ("/tickets", "Tickets"),
    ("/sources", "Sources"),
    ("/audit", "Audit"),
    ("/replays", "Replay"),
)


@dataclass(frozen=True)
class Problem:
    """What went wrong, line by line, in the place of a page, or of what it streams.

    Parameters
    ----------
    fault : str
        Under which the log has more; empty where there is no more to know.
    """

    problem: tuple[str, ...]
    fault: str = ""

    def document(self) -> dict[str, Any]:
        """Return what the JSON twin has."""
        return {"problem": self.problem, **({"fault": self.fault} if self.fault else {})}


def environment(assets: Assets, access: ConsoleAccess) -> Environment:
    """Return what makes pages of the templates; each lies beside its handler."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(
        asset=assets.address,
        csrf=access.csrf,
        navigation=NAVIGATION,
        outcome_class=_outcome_class,
        path=path_text,
    )
    made.filters.update(iso=iso_seconds, span=span_text, editable_json=editable_json)
    return made


def _shown(value: object) -> object:
    if value is None:
        return ""
    return printable_lines(value) if type(value) is str else value


def editable_json(text: str) -> str:
    """Return JSON for an editor: what does not show is an escape, which says the same.

    With `| e` behind it, as all that is sent again: other text must come back as it was.
    """
    return "\t".join(map(printable_json, text.split("\t")))


def _outcome_class(outcome: str) -> str:
    """Return the class of an outcome, with its reason after it or without."""
    return _CLASSES.get(outcome.partition(":")[0], "bad")


def path_text(*parts: str) -> str:
    """Return an address of the console of parts, of which each can have any character."""
    path = "/" + "/".join(quote(part, safe="") for part in parts)
    return path.removesuffix(JSON) + _ESCAPED if path.endswith(JSON) else path


class TwinRoute(Route):
    """The route of a JSON twin: an ending whose dot is escaped belongs to a name in the path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for it."""
        if scope.get("raw_path", b"").lower().endswith(_ESCAPED.lower().encode()):
            return Match.NONE, {}
        return super().matches(scope)


def pages(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> list[Route]:
    """Return the routes of a page and of its JSON twin."""
    return [TwinRoute(path + JSON, endpoint), Route(path, endpoint)]


def streamed(request: Request, events: AsyncIterator[str]) -> Response:
    """Return server-sent events; a HEAD request gets their headers, and has its end."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(headers=headers, media_type=_EVENTS)
    return StreamingResponse(events, headers=headers, media_type=_EVENTS)


def sent_event(name: str, text: str) -> str:
    """Return a server-sent event (HTML Living Standard, the event stream's form)."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n"


def wants_json(request: Request) -> bool:
    """Tell whether the JSON twin was asked for."""
    route: Route | None = request.scope.get("route")
    return route is not None and route.path.endswith(JSON)


def render(request: Request, template: str, data: Any, status: int = 200) -> Response:
    """Return a page, or its JSON twin, whichever was asked for.

    Parameters
    ----------
    template : str
        Its place within `toolbox/console`.
    data : Any
        A dataclass, which the template knows as `page`. A method `document` returns what the twin
        has, where that is not all of its fields.
    """
    if wants_json(request):
        return json_answer(_document(data), status)
    return HTMLResponse(html(request, template, data), status)


def html(request: Request, template: str, data: Any) -> str:
    """Return the text of a template with data."""
    made: Environment = request.app.state.templates
    return made.get_template(template).render(
        page=data,
        scene=request.app.state.scene,
        here=request.url.path,
        twin=_twin(request),
        calls=getattr(request.state, "calls", None),
    )


def json_answer(document: Any, status: int = 200) -> Response:
    """Return a document as JSON; what does not show is written as an escape."""
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    return Response(printable_json(text) + "\n", status, media_type="application/json")


def _document(data: Any) -> Any:
    if hasattr(data, "document"):
        return data.document()
    return asdict(data) if is_dataclass(data) and not isinstance(data, type) else data


def _twin(request: Request) -> str:
    query = request.url.query
    # A path that begins with two slashes would be an address elsewhere.
    path = quote("/" + request.url.path.lstrip("/"))
    return f"{path}{JSON}{'?' + query if query else ''}"
