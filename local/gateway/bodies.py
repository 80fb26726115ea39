"""The body of a request: its size, its content coding, and how a template sees it."""

from __future__ import annotations

import base64
import zlib

from local.gateway.errors import GatewayError

#: API Gateway takes no larger payload.
MAX_PAYLOAD_BYTES = 10 * 1024 * 1024

_GZIP_WINDOW = 31
_RAW_WINDOW = -15
_ZLIB_WINDOW = 15


def decode_content(body: bytes, coding: str | None) -> bytes:
    """Decompress a body, as API Gateway does before anything looks at it.

    Raises
    ------
    GatewayError
        When the coding is not gzip, deflate or identity, or the body is no such stream.
    """
    match (coding or "identity").strip().lower():
        case "identity":
            return body
        case "gzip":
            return _inflate(body, _GZIP_WINDOW)
        case "deflate":
            try:
                return _inflate(body, _ZLIB_WINDOW)
            except GatewayError as error:
                if error.response_type == "REQUEST_TOO_LARGE":
                    raise
                # Some senders leave out zlib's frame.
                return _inflate(body, _RAW_WINDOW)
    raise GatewayError("UNSUPPORTED_MEDIA_TYPE", reason="Content-Encoding is not supported")


def _inflate(body: bytes, window: int) -> bytes:
    stream = zlib.decompressobj(window)
    try:
        data = stream.decompress(body, MAX_PAYLOAD_BYTES + 1)
    except zlib.error:
        data = b""
    if len(data) > MAX_PAYLOAD_BYTES:
        raise GatewayError("REQUEST_TOO_LARGE")
    if not stream.eof or stream.unused_data:
        raise GatewayError("UNSUPPORTED_MEDIA_TYPE", reason="the body is not what it claims to be")
    return data


def template_text(body: bytes, *, binary: bool, content_handling: str | None) -> str | None:
    """Return a payload as a mapping template sees it.

    Parameters
    ----------
    binary : bool
        Whether its media type is one of the API's binary ones.
    content_handling : str | None
        `CONVERT_TO_TEXT`, or None.

    Returns
    -------
    str | None
        Text; base64 of the exact bytes for a binary payload that is converted; None for a binary
        payload that is not converted, which a template cannot read.
    """
    if not binary:
        # Recorded from API Gateway: what is no UTF-8 is replaced, without an error.
        return body.decode("utf-8", "replace")
    if content_handling == "CONVERT_TO_TEXT":
        return base64.b64encode(body).decode()
    return None
