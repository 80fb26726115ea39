"""`$input` and `$util` as templates see them."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote_plus, unquote_plus

from local.gateway.exchange import ContextObject, is_variable
from local.vtl import METHODS, VtlError, VtlObject, kind_of

if TYPE_CHECKING:
    from local.gateway.exchange import Exchange
    from local.vtl import ReferenceUse, VtlTemplate

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
#: Null in each template. API Gateway has stage variables, and the stage here may have none.
_NULL = {"null", "stageVariables"}


def check_references(template: VtlTemplate) -> None:
    """Check at the start what would else fail, or print nothing, at the first request.

    Raises
    ------
    VtlError
        For a name that nothing gives, and for what the gateway's objects do not offer.
    """
    for use in template.uses:
        if use.name in {"context", "input", "util"}:
            _check_object(use)
        elif use.name not in template.given | _NULL:
            raise VtlError(f"{use.where}: nothing gives ${use.name} a value")
        for name, called in use.members:
            known = name in METHODS | InputObject.vtl_methods.keys() | UtilObject.vtl_methods.keys()
            if called and not known:
                raise VtlError(f"{use.where}: the method {name}() is not supported")


def _check_object(use: ReferenceUse) -> None:
    names = [name for name, _ in use.members]
    called = [called for _, called in use.members]
    if not names:
        offered = True  # in an #if, or as a value: what it prints, rendering says
    elif use.name == "context":
        offered = is_variable(names) and not called[0]
    elif use.name == "util":
        offered = called[0] and names[0] in UtilObject.vtl_methods
    elif called[0]:
        offered = names[0] in InputObject.vtl_methods
    else:
        # `$input.body.x` prints `{}` on API Gateway (recorded), whatever the body is.
        offered = names[0] == "body" and called[1:2] != [False]
    if not offered:
        raise VtlError(f"{use.where}: ${'.'.join([use.name, *names])} is not supported")


def template_variables(exchange: Exchange, body: str) -> dict[str, Any]:
    """Return the variables of a mapping template."""
    return {
        "context": ContextObject(exchange),
        "input": InputObject(exchange, body),
        "util": _UTIL,
    }
