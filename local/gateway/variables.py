"""`$input` and `$util` as templates see them."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote_plus, unquote_plus

from local.gateway.exchange import ContextObject
from local.vtl import VtlError, VtlObject, kind_of

if TYPE_CHECKING:
    from local.gateway.exchange import Exchange

_ESCAPES = {
    "'": "\\'", '"': '\\"', "\\": "\\\\",
    "\b": "\\b", "\n": "\\n", "\t": "\\t", "\f": "\\f", "\r": "\\r",
}  # fmt: skip
_TO_ESCAPE = re.compile(r"['\"\\]|[^\x20-\x7e]")


def _text(method: str, value: Any) -> str:
    if not isinstance(value, str):
        raise VtlError(f"$util.{method} takes a string, got {kind_of(value)}")
    return value


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character in _ESCAPES:
        return _ESCAPES[character]
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex().upper()}" for i in range(0, len(units), 2))


class UtilObject(VtlObject):
    """`$util`."""

    type_name = "$util"
    vtl_methods: ClassVar[dict[str, str]] = {
        "base64Decode": "base64_decode",
        "base64Encode": "base64_encode",
        "escapeJavaScript": "escape_java_script",
        "urlDecode": "url_decode",
        "urlEncode": "url_encode",
    }

    def url_encode(self, value: Any) -> str:
        """Encode as Java's URLEncoder: space is "+", only letters, digits and `.-*_` stay."""
        text = _text("urlEncode", value)
        return quote_plus(text, safe="*", errors="replace").replace("~", "%7E")

    def url_decode(self, value: Any) -> str:
        """Decode a URL-encoded string."""
        return unquote_plus(_text("urlDecode", value))

    def base64_encode(self, value: Any) -> str:
        """Encode the UTF-8 form of a string."""
        return base64.b64encode(_text("base64Encode", value).encode("utf-8", "replace")).decode()

    def base64_decode(self, value: Any) -> str:
        """Decode base64 to a string."""
        try:
            data = base64.b64decode(_text("base64Decode", value), validate=True)
        except (binascii.Error, ValueError) as error:
            raise VtlError(f"$util.base64Decode: {error}") from None
        return data.decode("utf-8", "replace")

    def escape_java_script(self, value: Any) -> str:
        """Escape for JavaScript, which for a single quote gives what is no valid JSON."""
        return _TO_ESCAPE.sub(_escaped, _text("escapeJavaScript", value))


class InputObject(VtlObject):
    """`$input`.

    Parameters
    ----------
    body : str
        The body as the template sees it: text, or base64 after CONVERT_TO_TEXT.
    """

    type_name = "$input"
    vtl_methods: ClassVar[dict[str, str]] = {"params": "params"}

    def __init__(self, exchange: Exchange, body: str) -> None:
        self._exchange = exchange
        self._body = body

    def vtl_property(self, name: str) -> Any:
        """Return `body`; an empty body prints as `{}`, as recorded from API Gateway."""
        if name == "body":
            return self._body or "{}"
        return super().vtl_property(name)

    def params(self) -> dict[str, dict[str, str]]:
        """Return all parameters."""
        return {
            "querystring": dict(self._exchange.query),
            "header": dict(self._exchange.headers),
        }


_UTIL = UtilObject()


def template_variables(exchange: Exchange, body: str) -> dict[str, Any]:
    """Return the variables of a mapping template."""
    return {
        "context": ContextObject(exchange),
        "input": InputObject(exchange, body),
        "util": _UTIL,
    }
