"""SQS for a reader that takes a million messages: two calls, on one connection.

boto3 takes a millisecond for each call. The protocol is AWS JSON 1.0; requests are signed as the
AWS General Reference says (Signature Version 4), without the body, so that a signature holds for a
second.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from local.credentials import RunCredentials

_UNSIGNED = "UNSIGNED-PAYLOAD"
_SIGNED = "host;x-amz-content-sha256;x-amz-date;x-amz-target"
_TIMEOUT_SECONDS = 60.0


class PlainSqsError(PipelineError):
    """SQS refused a call."""


class PlainSqs:
    """The calls of SQS's client that read a queue; arguments and answers are those of boto3."""

    def __init__(self, endpoint_url: str, region: str, credentials: RunCredentials) -> None:
        self._host = urlsplit(endpoint_url).netloc
        self._region = region
        self._credentials = credentials
        self._connection = http.client.HTTPConnection(self._host, timeout=_TIMEOUT_SECONDS)
        self._headers: dict[str, tuple[int, dict[str, str]]] = {}

    def receive_message(self, **arguments: Any) -> Any:
        """Call ReceiveMessage."""
        return self._call("ReceiveMessage", arguments)

    def delete_message_batch(self, **arguments: Any) -> Any:
        """Call DeleteMessageBatch."""
        return self._call("DeleteMessageBatch", arguments)

    def _call(self, action: str, arguments: dict[str, Any]) -> Any:
        self._connection.request("POST", "/", orjson.dumps(arguments), self._signed(action))
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise PlainSqsError(f"{action}: {answer.status}: {content[:300]!r}")
        return orjson.loads(content)

    def _signed(self, action: str) -> dict[str, str]:
        now = int(time.time())
        at, headers = self._headers.get(action, (0, {}))
        if at != now:
            headers = self._sign(f"AmazonSQS.{action}", now)
            self._headers[action] = now, headers
        return headers

    def _sign(self, target: str, now: int) -> dict[str, str]:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        headers = {
            "host": self._host,
            "x-amz-content-sha256": _UNSIGNED,
            "x-amz-date": stamp,
            "x-amz-target": target,
        }
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        request = f"POST\n/\n\n{lines}\n{_SIGNED}\n{_UNSIGNED}"
        parts = (stamp[:8], self._region, "sqs", "aws4_request")
        hashed = hashlib.sha256(request.encode()).hexdigest()
        key = f"AWS4{self._credentials.secret_access_key}".encode()
        for part in parts:
            key = hmac.digest(key, part.encode(), "sha256")
        scope = "/".join(parts)
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        credential = f"{self._credentials.access_key_id}/{scope}"
        return {
            **headers,
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, "
            f"SignedHeaders={_SIGNED}, Signature={signature}",
        }
