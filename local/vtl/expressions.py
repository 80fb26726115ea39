"""Compiles the expressions of a template, with their operators, into closures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local.vtl.operands import CLOSE, OPEN, Scope, Value, located, operand
from local.vtl.values import VtlError, calculate, is_true

if TYPE_CHECKING:
    from local.vtl.scanner import Scanner

_SPACE = re.compile(r"\s*")
_NOT = re.compile(r"!(?!=)")
_OPERATOR = re.compile(r"\s*(==|!=|<=|>=|<|>|&&|\|\||%)\s*")
_PRECEDENCE = {"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 4, ">": 4, "<=": 4, ">=": 4, "%": 6}


def expression(scanner: Scanner, precedence: int = 0) -> Value:
    """Compile an expression with operators that bind tighter than `precedence`."""
    scanner.take(_SPACE)
    left = _unary(scanner)
    while True:
        start = scanner.position
        found = scanner.take(_OPERATOR)
        if not found:
            return left
        symbol = found[1]
        if _PRECEDENCE[symbol] <= precedence:
            scanner.position = start
            return left
        left = _binary(symbol, left, expression(scanner, _PRECEDENCE[symbol]), scanner.where(start))


def _unary(scanner: Scanner) -> Value:
    if scanner.take(_NOT):
        scanner.take(_SPACE)
        inner = _unary(scanner)
        return lambda scope: not is_true(inner(scope))
    if scanner.take(OPEN):
        inner = expression(scanner)
        scanner.expect(CLOSE, ")")
        return inner
    return operand(scanner)


def _binary(symbol: str, left: Value, right: Value, where: str) -> Value:
    match symbol:
        case "&&":
            return lambda scope: is_true(left(scope)) and is_true(right(scope))
        case "||":
            return lambda scope: is_true(left(scope)) or is_true(right(scope))

    def calculated(scope: Scope) -> Any:
        try:
            return calculate(symbol, left(scope), right(scope))
        except VtlError as error:
            raise located(error, where) from None

    return calculated
