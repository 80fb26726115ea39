"""The templates of gateway responses: no VTL, `$context` is replaced."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local.template import TemplateError
from local.vtl import VtlError, to_text

if TYPE_CHECKING:
    from local.gateway.exchange import Exchange

_VARIABLE = re.compile(r"\$(?P<brace>\{)?context\.([\w.-]*\w)(?(brace)\})")
_ANY = re.compile(r"\$[!{A-Za-z]|#(?:set|if|foreach|end|else)\b")


def check_text(text: str, where: str) -> None:
    """Check the template of a gateway response.

    Raises
    ------
    TemplateError
        When it holds VTL, which API Gateway does not run here.
    """
    stray = _ANY.search(_VARIABLE.sub("", text))
    if stray:
        raise TemplateError(
            f"{where}: {stray[0]!r} in {text!r} is not supported in a gateway response; "
            "supported: $context.NAME"
        )


def substitute(text: str, exchange: Exchange) -> str:
    """Replace the variables of a gateway response's template."""

    def value(found: re.Match[str]) -> str:
        try:
            inner = exchange.context_value(found[2])
        except VtlError:
            # An error answer must not fail for a variable that its kind of error does not have.
            return ""
        return "" if inner is None else to_text(inner)

    return _VARIABLE.sub(value, text)
