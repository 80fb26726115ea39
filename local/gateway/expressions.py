"""Mapping expressions: `'static'`, `method.request.header.X`, `context.x`, `stageVariables.x`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local.template import TemplateError
from local.vtl import to_text

if TYPE_CHECKING:
    from local.gateway.exchange import Exchange
    from local.gateway.model import Expression

_STATIC = re.compile(r"'(.*)'\Z", re.DOTALL)
_SUPPORTED = (
    "'static text', method.request.header|querystring|path.NAME, context.NAME, stageVariables.NAME"
)


def compile_expression(text: str, where: str, *, fold_case: bool = False) -> Expression:
    """Compile a mapping expression.

    Parameters
    ----------
    text : str
        The expression.
    where : str
        Logical id and property, for the error.
    fold_case : bool
        Match a header's name in any case.

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
    if kind == "stageVariables" and name:
        return lambda exchange: exchange.api.stage_variables.get(name)
    if kind == "method" and name.count(".") >= 2:
        _, location, parameter = name.split(".", 2)
        found = _request_parameter(location, parameter, fold_case=fold_case)
        if found is not None:
            return found
    raise TemplateError(f"{where}: {text!r} is not supported locally; supported: {_SUPPORTED}")


def _context(exchange: Exchange, name: str) -> str | None:
    value = exchange.context_value(name)
    return None if value is None else to_text(value)


def _request_parameter(location: str, name: str, *, fold_case: bool) -> Expression | None:
    match location:
        case "header" if fold_case:
            return lambda exchange: exchange.header(name)
        case "header":
            return lambda exchange: dict(exchange.headers).get(name)
        case "querystring":
            return lambda exchange: dict(exchange.query).get(name)
        case "path":
            return lambda exchange: exchange.path_parameters.get(name)
    return None
