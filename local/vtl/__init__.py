"""Mapping templates: the part of Apache Velocity 1.7 that API Gateway templates use.

A template is compiled once into Python closures. What the engine does not know — a directive, a
method, a property — is a `VtlError` that names the template and the line, never silence: a
template that renders nothing here and something on AWS is the worst of all outcomes.
"""

from local.vtl.template import VtlTemplate
from local.vtl.values import (
    JsonList,
    Missing,
    VtlError,
    VtlObject,
    json_value,
    kind_of,
    to_text,
)

__all__ = [
    "JsonList",
    "Missing",
    "VtlError",
    "VtlObject",
    "VtlTemplate",
    "json_value",
    "kind_of",
    "to_text",
]
