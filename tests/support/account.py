"""An account of AWS's that answers as it is told, in the forms of botocore's models."""

from __future__ import annotations

import copy
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.validate import validate_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    #: What an operation is answered: a document, an error's code, or what makes one of parameters.
    Answer = Mapping[str, Any] | str | Callable[[dict[str, Any]], Any]


class AnsweringAccount:
    """Makes boto3's clients whose calls end here, the answer being what the model allows.

    Parameters
    ----------
    answers : Mapping[str, Answer]
        By `<service>.<operation>`, as boto3 and the model call them.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = dict(answers)
        self.calls: list[str] = []
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str) -> Any:
        """Return the client of a service in a region."""
        if (service, region) not in self._clients:
            self._clients[service, region] = self._make(service, region)
        return self._clients[service, region]

    def _make(self, service: str, region: str) -> Any:
        # A copy of one that the process makes once, with hooks of its own.
        made = _client(service, region)
        client = object.__new__(type(made))  # `copy` would ask it for what it does not have yet
        vars(client).update(vars(made), meta=copy.copy(made.meta))
        client.meta.events = copy.copy(client.meta.events)

        def keep(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            context["asked"] = dict(params)

        def answer(model: Any, context: dict[str, Any], **_: Any) -> tuple[AWSResponse, Any]:
            called = f"{service}.{model.name}"
            self.calls.append(called)
            found: Any = self.answers[called]
            if callable(found):
                found = found(context["asked"])
            status, parsed = 200, found
            if isinstance(found, str):
                status, parsed = 400, {"Error": {"Code": found, "Message": f"{found} it is"}}
            elif model.output_shape is not None:
                validate_parameters(parsed, model.output_shape)
            return AWSResponse("http://localhost", status, HTTPHeaders(), None), parsed

        client.meta.events.register("before-parameter-build.*", keep)
        client.meta.events.register("before-call.*", answer)
        return client


@cache
def _client(service: str, region: str) -> Any:
    made: Any = boto3.client(
        service,  # type: ignore[call-overload]
        region_name=region,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    return made
