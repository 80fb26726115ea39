"""Duo's signed requests, in the form that its own client uses: signature version 5.

Source: duo_client 5.7.0, `Client.api_call`; the tests compare with its signatures.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from urllib3.util import parse_url

if TYPE_CHECKING:
    from pipeline.polling.http_client import HttpRequest


def duo_headers(
    integration_key: str, secret_key: str, request: HttpRequest, date: str
) -> dict[str, str]:
    """Sign a request.

    Parameters
    ----------
    request : HttpRequest
        Its parameters are those of the query; a body is signed as it is.
    date : str
        Now, in the form of RFC 2822.
    """
    url = parse_url(request.url)
    pairs = parse_qsl(url.query or "", keep_blank_values=True)
    parameters = sorted((quote(name, "~"), quote(value, "~")) for name, value in pairs)
    canonical = "\n".join(
        (
            date,
            request.method.upper(),
            (url.host or "").lower(),
            url.path or "/",
            "&".join(f"{name}={value}" for name, value in parameters),
            hashlib.sha512(request.body or b"").hexdigest(),
            # The headers that begin with X-Duo-, of which there are none.
            hashlib.sha512(b"").hexdigest(),
        )
    )
    signature = hmac.digest(secret_key.encode(), canonical.encode(), "sha512").hex()
    proof = base64.b64encode(f"{integration_key}:{signature}".encode()).decode()
    return {"Authorization": f"Basic {proof}", "Date": date}
