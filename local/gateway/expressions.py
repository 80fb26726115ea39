"""Mapping expressions: `'static'`, `method.request.header.X`, `….querystring.x`, `context.x`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local.template import TemplateError
from local.vtl import to_text

if TYPE_CHECKING:
    from local.gateway.exchange import Exchange
    from local.gateway.model import Expression

_STATIC = re.compile(r"'(.*)'\Z", re.DOTALL)
_HEADER = "method.request.header."
_QUERY = "method.request.querystring."


def compile_expression(text: str, where: str) -> Expression:
    """Compile a mapping expression; a header's name matches in any case.

    Raises
    ------
    TemplateError
        For an expression that is not supported.
    """
    if static := _STATIC.match(text):
        value = static[1]
        return lambda _: value
    kind, _, name = text.partition(".")
    if kind == "context" and name:
        return lambda exchange: _context(exchange, name)
    if text.startswith(_HEADER):
        header = text.removeprefix(_HEADER)
        return lambda exchange: exchange.header(header)
    if text.startswith(_QUERY):
        parameter = text.removeprefix(_QUERY)
        return lambda exchange: dict(exchange.query).get(parameter)
    raise TemplateError(
        f"{where}: {text!r} is not supported locally; "
        f"supported: 'static text', {_HEADER}NAME, {_QUERY}NAME, context.NAME"
    )


def _context(exchange: Exchange, name: str) -> str | None:
    value = exchange.context_value(name)
    return None if value is None else to_text(value)
