"""Reads from a request which operations of a service it asks for, on which resources.

What it is called comes from the request alone: the target of a JSON service, the action of a query,
and for S3 method, path and query, by botocore's model of the service.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, unquote

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel

_MEMBER = re.compile(r"\{([^}+]+)\+?\}")


@dataclass(frozen=True)
class WireRequest:
    """A request to a service, as it was sent.

    Parameters
    ----------
    service : str
        By the name that is signed.
    path, query : str
        As they were sent, URL-encoded.
    headers : Mapping[str, str]
        By lower-case name.
    """

    service: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        """Whether it is of a JSON service; else a query, or S3's REST."""
        return "x-amz-target" in self.headers


def operation(request: WireRequest) -> tuple[str, dict[str, Any]]:
    """Return the operation's name and its parameters.

    Returns
    -------
    tuple[str, dict[str, Any]]
        An operation that nobody knows has the name that the request gives it; IAM's own list of
        actions has no such one. Of S3 the parameters are those of path, query and headers, by
        their lower-case names on the wire, with `Bucket` and `Key`.
    """
    if request.is_json:
        name = request.headers["x-amz-target"].rpartition(".")[2]
        return name, _json(request.body)
    if request.service == "s3":
        return _s3(request)
    form = parse_qs(request.body.decode("utf-8", "replace") or request.query)
    parameters = {name: values[0] for name, values in form.items()}
    return parameters.get("Action", ""), parameters


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _s3(request: WireRequest) -> tuple[str, dict[str, Any]]:
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    has = {name: value for name, value in request.headers.items() if name.startswith("x-amz-")}
    shape = "/{}/{}" if key else "/{}" if bucket else "/"
    fits = [
        form
        for form in _s3_forms()
        if form.method == request.method
        and form.shape == shape
        and all(n in query and value in {"", query[n]} for n, value in form.query.items())
        and form.needs_query <= query.keys()
        and form.needs_headers <= has.keys()
    ]
    best = max(fits, key=lambda form: form.weight, default=None)
    parameters = {**has, **query, "Bucket": bucket, "Key": key}
    return (best.name if best else request.method), parameters


@dataclass(frozen=True)
class _Form:
    """How an operation of S3 looks on the wire."""

    name: str
    method: str
    shape: str
    query: dict[str, str]
    needs_query: frozenset[str]
    needs_headers: frozenset[str]

    @property
    def weight(self) -> int:
        return len(self.query) + len(self.needs_query) + len(self.needs_headers)


@functools.cache
def _s3_forms() -> tuple[_Form, ...]:
    import botocore.session  # a run that looks at no call does not wait for it

    model = botocore.session.Session().get_service_model("s3")
    return tuple(_form(model.operation_model(name)) for name in model.operation_names)


def _form(operation: OperationModel) -> _Form:
    path, _, query = operation.http["requestUri"].partition("?")
    shape = operation.input_shape
    required = set(shape.required_members) if shape else set()
    at: dict[str, set[str]] = {"querystring": set(), "header": set()}
    for where in (shape.members[name].serialization for name in required) if shape else ():
        if where.get("location") in at:
            at[where["location"]].add(where["name"])
    return _Form(
        name=operation.name,
        method=operation.http["method"],
        shape=_MEMBER.sub("{}", path),
        query=dict(parse_qsl(query, keep_blank_values=True)),
        needs_query=frozenset(at["querystring"]),
        needs_headers=frozenset(map(str.lower, at["header"])),
    )
