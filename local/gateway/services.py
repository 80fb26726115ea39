"""Calls AWS services for integrations, through the SDK's clients."""

from __future__ import annotations

import asyncio
import base64
import binascii
from datetime import datetime
from typing import TYPE_CHECKING, Any

import botocore.session
import orjson
from botocore import xform_name
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    ParamValidationError,
    ReadTimeoutError,
)

from local.gateway.errors import GatewayError
from local.gateway.replies import BackendAnswer

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from botocore.model import Shape

_JSON_RESPONSE = {"content-type": "application/x-amz-json-1.1"}
_DEFAULT_ERROR_STATUS = 400


class PayloadError(ValueError):
    """A payload that the service could not deserialise."""


def error_answer(status: int, code: str, message: str) -> BackendAnswer:
    """Make the answer of a JSON service for an error."""
    return BackendAnswer(status, orjson.dumps({"__type": code, "message": message}), _JSON_RESPONSE)


def client_error_answer(error: ClientError) -> BackendAnswer:
    """Make the answer that the service gave, from the error that the SDK raised for it."""
    details = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return error_answer(
        status or _DEFAULT_ERROR_STATUS, details.get("Code", "Unknown"), details.get("Message", "")
    )


def _json_default(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(type(value).__name__)


def success_answer(result: dict[str, Any]) -> BackendAnswer:
    """Make the answer of a JSON service for a result of the SDK."""
    fields = {name: value for name, value in result.items() if name != "ResponseMetadata"}
    # Datetimes are left to the default: the JSON protocols write them as seconds.
    body = orjson.dumps(fields, default=_json_default, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return BackendAnswer(200, body, _JSON_RESPONSE)


def answer_of(call: Callable[..., dict[str, Any]], arguments: dict[str, Any]) -> BackendAnswer:
    """Make a call and give what the service answered.

    Raises
    ------
    GatewayError
        When the service did not answer.
    """
    try:
        return success_answer(call(**arguments))
    except ClientError as error:
        return client_error_answer(error)
    except ParamValidationError as error:
        return error_answer(400, "SerializationException", str(error))
    except (ConnectTimeoutError, ReadTimeoutError) as error:
        raise GatewayError("INTEGRATION_TIMEOUT", reason=type(error).__name__) from error
    except BotoCoreError as error:
        raise GatewayError("INTEGRATION_FAILURE", reason=type(error).__name__) from error


def deserialize(value: Any, shape: Shape) -> Any:
    """Turn a value of a JSON payload into what the SDK takes: base64 to bytes, unknown ones out.

    Raises
    ------
    PayloadError
        For what is no base64.
    """
    match shape.type_name:
        case "blob":
            try:
                return base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError, TypeError):
                raise PayloadError(f"{shape.name} is not base64") from None
        case "structure" if isinstance(value, dict):
            members = shape.members  # type: ignore[attr-defined]
            return {
                name: deserialize(item, members[name])
                for name, item in value.items()
                if name in members and item is not None
            }
        case "list" if isinstance(value, list):
            return [deserialize(item, shape.member) for item in value]  # type: ignore[attr-defined]
        case "map" if isinstance(value, dict):
            inner = shape.value  # type: ignore[attr-defined]
            return {name: deserialize(item, inner) for name, item in value.items()}
    return value


class ServiceCaller:
    """Calls any action of a JSON service.

    Parameters
    ----------
    clients : Callable[[str], Any]
        Gives the SDK's client for a service.
    executor : Executor
        Where the calls wait.
    """

    def __init__(self, clients: Callable[[str], Any], executor: Executor) -> None:
        self._clients = clients
        self._executor = executor
        self._session = botocore.session.get_session()
        self._shapes: dict[tuple[str, str], Shape | None] = {}

    def _shape(self, service: str, action: str) -> Shape | None:
        key = (service, action)
        if key not in self._shapes:
            model = self._session.get_service_model(service)
            self._shapes[key] = model.operation_model(action).input_shape
        return self._shapes[key]

    def arguments(self, service: str, action: str, payload: str) -> dict[str, Any]:
        """Read a payload into the arguments of an action.

        Raises
        ------
        PayloadError
            When it is no JSON object, or holds a blob that is no base64.
        """
        try:
            document = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise PayloadError(f"the payload is not JSON: {error}") from None
        if not isinstance(document, dict):
            raise PayloadError("the payload is no JSON object")
        shape = self._shape(service, action)
        return deserialize(document, shape) if shape else {}

    async def call(self, service: str, action: str, arguments: dict[str, Any]) -> BackendAnswer:
        """Call an action and give what the service answered.

        Raises
        ------
        GatewayError
            When the service did not answer.
        """
        method = getattr(self._clients(service), xform_name(action))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, answer_of, method, arguments)
