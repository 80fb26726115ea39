"""Signature Version 4, for the requests that this project makes.

AWS General Reference, "Create a signed AWS API request". botocore's signer takes several times as
long for a request: it rebuilds the query, copies the headers and derives the key anew each time.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.aws.account import Account


def _now() -> datetime:
    return datetime.now(UTC)


@lru_cache(maxsize=64)  # The same few sets, all the time.
def _in_order(names: tuple[str, ...]) -> tuple[list[str], str]:
    ordered = sorted(names)
    return ordered, ";".join(ordered)


class Signer:
    """Signs the requests to one service.

    Parameters
    ----------
    service : str
        The name that is signed, such as `sqs`.
    now : Callable[[], datetime]
        The time, in UTC.
    """

    def __init__(self, account: Account, service: str, now: Callable[[], datetime] = _now) -> None:
        self._account = account
        self._service = service
        self._now = now
        # Day, scope and key change together, and threads share them: one tuple, swapped whole.
        self._daily: tuple[str, str, bytes] = ("", "", b"")
        #: A second and its text, which the calls of a batch share.
        self._second: tuple[datetime, str] = (datetime.min.replace(tzinfo=UTC), "")

    def headers(
        self,
        method: str,
        host: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        query: str = "",
    ) -> dict[str, str]:
        """Return all headers of a request: the given ones, and those that sign it.

        Parameters
        ----------
        path : str
            The path as it is sent, URL-encoded.
        headers : Mapping[str, str]
            By lower-case name; all of them are signed.
        query : str
            The query as it is sent, in the form in which it is signed: URL-encoded, in order.
        """
        date = self._date()
        scope, key = self._scope_and_key(date[:8])
        digest = hashlib.sha256(body).hexdigest()
        signed = {**headers, "host": host, "x-amz-content-sha256": digest, "x-amz-date": date}
        if self._account.session_token:
            signed["x-amz-security-token"] = self._account.session_token
        names, listed = _in_order(tuple(signed))
        lines = "".join([f"{name}:{signed[name]}\n" for name in names])
        request = f"{method}\n{path}\n{query}\n{lines}\n{listed}\n{digest}"
        hashed = hashlib.sha256(request.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}"
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._account.access_key}/{scope}, "
            f"SignedHeaders={listed}, Signature={signature}"
        )
        return signed

    def _date(self) -> str:
        second = self._now().replace(microsecond=0)
        known, text = self._second
        if known != second:
            text = second.strftime("%Y%m%dT%H%M%SZ")
            self._second = second, text
        return text

    def _scope_and_key(self, day: str) -> tuple[str, bytes]:
        known, scope, key = self._daily
        if known != day:
            region = self._account.region
            scope = f"{day}/{region}/{self._service}/aws4_request"
            key = b"AWS4" + self._account.secret_key.encode()
            for part in (day, region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._daily = (day, scope, key)
        return scope, key
