"""How requests prove who asks, in the forms that `source.yaml` names."""

from __future__ import annotations

import base64
import json
import re
import time
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlencode

from pipeline.polling.duo import duo_headers
from pipeline.polling.errors import PollError
from pipeline.polling.http_client import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.event.compiled_poll import CredentialSettings
    from pipeline.polling.targets import Target
    from pipeline.runtime.secret_store import SecretStore

    Exchange = Callable[[HttpRequest, dict[str, str]], HttpResponse]

KIND = "api_credential"
#: A token is not used in the last part of its time: a request in flight must not outlive it.
TOKEN_MARGIN_SECONDS = 60.0
TOKEN_SECONDS = 300.0
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class CredentialError(PollError):
    """The credential has not the form that the source needs, or the sender refuses it."""


class Credentials:
    """The credential of one source: its current value and, during a rotation, the previous one.

    Parameters
    ----------
    store : SecretStore
        Where the value is.
    target : Target
        Where the token endpoint is, for OAuth 2.0.
    clock : Callable[[], float]
        Epoch seconds.
    """

    def __init__(
        self,
        source: str,
        settings: CredentialSettings,
        store: SecretStore,
        target: Target,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._settings = settings
        self._store = store
        self._target = target
        self._clock = clock
        self._value: bytes | None = None
        self._known: tuple[bytes, ...] = ()
        self._refused: set[bytes] = set()
        self._token = ""
        self._token_ends = 0.0
        self._token_is_new = False

    def begin(self) -> None:
        """Begin a poll: a value that was taken out of the parameter is not used any more.

        Raises
        ------
        SecretError
            When it cannot be read.
        """
        self._refused.clear()
        values = self._known = self._store.secrets(self._source, KIND)
        if self._value not in values:
            self._value, self._token = values[0], ""

    def headers(self, request: HttpRequest, exchange: Exchange) -> dict[str, str]:
        """Return the headers that prove who makes a request.

        Raises
        ------
        CredentialError
            When the credential has not the right form, or no token is given for it.
        SecretError
            When it cannot be read.
        """
        if self._value is None:
            self._value = self._store.secrets(self._source, KIND)[0]
        kind = self._settings.type
        if kind == "duo":
            return duo_headers(*self._pair(), request, formatdate(self._clock()))
        if kind == "basic":
            return {"Authorization": _basic(*self._pair())}
        if kind == "oauth2":
            return {"Authorization": f"Bearer {self._bearer(exchange)}"}
        return {self._settings.header: self._settings.prefix + self._text()}

    def secrets(self) -> Iterator[str]:
        """Return what no log may hold: all values that may be in use, and what is made of them."""
        values = {*self._refused, *self._known, *({self._value} if self._value else ())}
        for value in values:
            text = value.decode(errors="replace")
            yield from (text, *text.split(":", 1))
        yield self._token

    def accepted(self) -> None:
        """Note that the sender took the credential."""
        self._refused.clear()
        self._token_is_new = False

    def refused(self) -> bool:
        """Note that the sender refused it; tell whether there is another to try.

        A token may have ended early, so it is fetched anew once before its credential is given up.

        Raises
        ------
        SecretError
            When SSM does not answer.
        """
        if self._token:
            self._token = ""
            if not self._token_is_new:
                return True
        self._token_is_new = False
        if self._value is not None:
            self._refused.add(self._value)
        values = self._known = self._store.secrets(self._source, KIND, refresh=True)
        left = [value for value in values if value not in self._refused]
        # With none left, the next poll begins with the current value again: it may be put right.
        self._value = left[0] if left else None
        if not left:
            self._refused.clear()
        return bool(left)

    def _text(self) -> str:
        text = (self._value or b"").decode("ascii", errors="replace")
        if not text.isascii() or not text.isprintable():
            raise CredentialError(f"the credential of {self._source} has characters beyond ASCII")
        return text

    def _pair(self) -> tuple[str, str]:
        first, separator, second = self._text().partition(":")
        if not (first and separator and second):
            raise CredentialError(
                f"the credential of {self._source} must be two parts with a colon between them; "
                "docs/polling.md says which"
            )
        return first, second

    def _bearer(self, exchange: Exchange) -> str:
        if not self._token or self._clock() >= self._token_ends:
            self._fetch_token(exchange)
        return self._token

    def _fetch_token(self, exchange: Exchange) -> None:
        while True:
            answer = exchange(*self._token_request())
            if answer.status == 200:
                break
            # RFC 6749, 5.2: invalid_client is a 400 or a 401.
            self._token = ""
            if answer.status not in {400, 401, 403} or not self.refused():
                raise CredentialError(
                    f"{self._settings.token_path}: status {answer.status} instead of a token"
                )
        try:
            plain = json.loads(answer.body)
            token, lasts = plain["access_token"], float(plain.get("expires_in") or TOKEN_SECONDS)
        except (ValueError, KeyError, TypeError, AttributeError):
            token, lasts = None, 0.0
        if not isinstance(token, str) or not _VISIBLE.fullmatch(token):
            raise CredentialError(f"{self._settings.token_path}: the answer has no access_token")
        margin = min(TOKEN_MARGIN_SECONDS, lasts / 2)
        self._token, self._token_ends = token, self._clock() + lasts - margin
        self._token_is_new = True

    def _token_request(self) -> tuple[HttpRequest, dict[str, str]]:
        client, secret = self._pair()
        form = {"grant_type": "client_credentials"}
        if self._settings.scope:
            form["scope"] = self._settings.scope
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        proof = {}
        if self._settings.client_authentication == "body":
            form |= {"client_id": client, "client_secret": secret}
        else:
            # RFC 6749, 2.3.1: both are form-encoded first.
            proof["Authorization"] = _basic(quote_plus(client), quote_plus(secret))
        body = urlencode(form).encode()
        url = self._target.url(self._settings.token_path)
        return HttpRequest("POST", url, body, headers), proof


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
