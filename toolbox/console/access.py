"""Who may ask the console: the browser that was opened with the printed address, and nobody else.

A page of another site can make a browser ask this machine's ports. It has neither the cookie nor
the token of a form, and a browser names where a request comes from (`Origin`, `Sec-Fetch-Site`:
Fetch Metadata Request Headers). A name that somebody else points at this machine is no `Host` of
the console.
"""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import anyio
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ENTRY = "/enter"
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
#: What a form carries here is a sample or a schema.
MOST_BODY_BYTES = 2 * 1024 * 1024
MOST_FIELDS = 250
_BODY_SECONDS = 30
_READING = frozenset({"GET", "HEAD"})
#: A page that is asked for by nobody's link ("none": typed, or opened by a program), or by our own.
_OWN_SITES = frozenset({"none", "same-origin"})
_FORM = "application/x-www-form-urlencoded"
_HOW = (
    "open the address that 'mozdef-ef console' printed; it works once, a new start prints a new one"
)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class FormError(PipelineError):
    """What was sent is no form that the console takes."""


class ConsoleAccess:
    """The secrets of one console that runs.

    Parameters
    ----------
    port : int
        On which it answers.
    """

    def __init__(self, port: int) -> None:
        self.hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self.origins = frozenset(f"http://{host}" for host in self.hosts)
        # Cookies are kept by host, not by port: two consoles would take each other's away.
        self.cookie = f"mozdef-ef-console-{port}"
        self.address = f"http://127.0.0.1:{port}{ENTRY}?token="
        self._token: str | None = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)
        self.csrf = secrets.token_urlsafe(32)

    @property
    def entry(self) -> str:
        """The address that lets one browser in, once."""
        return f"{self.address}{self._token}"

    def enter(self, token: str) -> bool:
        """Take the one-time token; tell whether it was that."""
        if self._token is None or not _same(token, self._token):
            return False
        self._token = None
        return True

    def set_cookie(self, response: RedirectResponse) -> None:
        """Let a browser in from now on."""
        response.set_cookie(self.cookie, self._session, httponly=True, samesite="strict", path="/")

    def refusal(self, headers: Headers, method: str) -> str:
        """Say why a request is refused; nothing where it is not.

        Parameters
        ----------
        method : str
            Its HTTP method.
        """
        if headers.get("host", "") not in self.hosts:
            return "the Host header is not the console's: open it as 127.0.0.1"
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None and site not in _OWN_SITES:
            return "a page of another origin asked; type the address or open it from the terminal"
        # Under `Referrer-Policy: no-referrer` a form's Origin is "null" (Fetch, "append a request
        # Origin header"); then the other header has to say that it is ours.
        told = origin in self.origins or (origin in {None, "null"} and site == "same-origin")
        if not told and (origin is not None or method not in _READING):
            return "the Origin header is not the console's"
        return ""

    def has_entered(self, headers: Headers) -> bool:
        """Tell whether a request has the cookie."""
        # Other programs of this machine set cookies, too; one that is odd must not hide ours.
        found = cookie_parser(headers.get("cookie", "")).get(self.cookie)
        return found is not None and _same(found, self._session)

    def is_own_form(self, headers: Headers, body: bytes) -> bool:
        """Tell whether a form of the console was sent: by its hidden field, or by its header."""
        told = headers.get(CSRF_HEADER)
        if told is None and headers.get("content-type", "").partition(";")[0] == _FORM:
            told = fields_of(body).get(CSRF_FIELD, "")
        return told is not None and _same(told, self.csrf)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode())


def fields_of(body: bytes) -> dict[str, str]:
    """Return the fields of a form, the last of each name.

    Raises
    ------
    FormError
        When it is no form, or has too many fields.
    """
    return {name: values[-1] for name, values in _all_fields_of(body).items()}


def _all_fields_of(body: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(
            body.decode("ascii"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:
        raise FormError(f"the form cannot be read: {error}; fill it in on its page") from None


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of the form that was sent, without the token.

    Raises
    ------
    FormError
        When it is no form.
    """
    fields = fields_of(await request.body())
    fields.pop(CSRF_FIELD, None)
    return fields


async def lists_of(request: Request) -> dict[str, list[str]]:
    """Return all values of each field of the form that was sent: of boxes that were marked.

    Raises
    ------
    FormError
        When it is no form.
    """
    return _all_fields_of(await request.body())


class AccessGate:
    """Stands before the pages; every answer has the headers that a browser is to keep to."""

    def __init__(self, app: ASGIApp, access: ConsoleAccess) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers, method = Headers(scope=scope), scope["method"]
        if refused := self._access.refusal(headers, method):
            await _refuse(403, refused)(scope, receive, sending)
        elif scope["path"] == ENTRY and method in _READING:
            await self._enter(scope)(scope, receive, sending)
        elif not self._access.has_entered(headers):
            await _refuse(403, _HOW)(scope, receive, sending)
        elif method in _READING:
            await self._app(scope, receive, sending)
        else:
            await self._write(scope, receive, sending)

    def _enter(self, scope: Scope) -> ASGIApp:
        token = QueryParams(scope["query_string"].decode("latin-1")).get("token", "")
        if scope["method"] != "GET" or not self._access.enter(token):
            return _refuse(403, f"this address was used, or is not the console's: {_HOW}")
        response = RedirectResponse("/", 303)
        self._access.set_cookie(response)
        return response

    async def _write(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            answer = _refuse(413, f"at most {MOST_BODY_BYTES:,} bytes, within {_BODY_SECONDS} s")
            await answer(scope, receive, send)
            return
        try:
            own = self._access.is_own_form(Headers(scope=scope), body)
        except FormError:
            own = False
        if not own:
            answer = _refuse(403, "the form's token is missing or old: load its page again")
            await answer(scope, receive, send)
            return
        told = False

        async def again() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


async def _read(receive: Receive) -> bytes | None:
    """Return a request's body; None where it is too long, or does not come."""
    parts, size = [], 0
    with anyio.move_on_after(_BODY_SECONDS):
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > MOST_BODY_BYTES:
                return None
            if not message.get("more_body"):
                return b"".join(parts)
    return None


def _refuse(status: int, why: str) -> PlainTextResponse:
    return PlainTextResponse(f"{why}\n", status)
