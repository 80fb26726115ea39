"""Mapping templates: the part of Apache Velocity 1.7 that the deployed templates use.

`#set`, `#if`, `#else` and `#foreach`; `==`, `!=`, `<`, `<=`, `>`, `>=`, `%`, `&&`, `||` and `!`;
strings, whole numbers and references; what `local.vtl.methods` lists.

A template is compiled once into Python closures. What the engine does not know — a directive, a
method, a property — is a `VtlError` that names the template and the line, never silence: a
template that renders nothing here and something on AWS is the worst of all outcomes.
"""

from local.vtl.methods import METHODS
from local.vtl.scanner import ReferenceUse
from local.vtl.template import VtlTemplate
from local.vtl.values import VtlError, VtlObject, kind_of, to_text

__all__ = ["METHODS", "ReferenceUse", "VtlError", "VtlObject", "VtlTemplate", "kind_of", "to_text"]
