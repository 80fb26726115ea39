"""Puts the records of integrations on the stream, through the SDK's client."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson
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
    from concurrent.futures import Executor

#: `put_record` of the SDK's Kinesis client.
PutRecord: TypeAlias = Callable[..., Mapping[str, object]]

_DEFAULT_ERROR_STATUS = 400
#: Kinesis API reference, PutRecord: what a call may hold. Kinesis leaves anything else aside.
_MEMBERS = (
    "Data", "ExplicitHashKey", "PartitionKey", "SequenceNumberForOrdering", "StreamARN",
    "StreamName",
)  # fmt: skip


class PayloadError(ValueError):
    """A payload that Kinesis could not deserialise."""


def error_answer(status: int, code: str, message: str) -> BackendAnswer:
    """Make the answer of a JSON service for an error."""
    return BackendAnswer(status, orjson.dumps({"__type": code, "message": message}))


def client_error_answer(error: ClientError) -> BackendAnswer:
    """Make the answer that the service gave, from the error that the SDK raised for it."""
    details = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return error_answer(
        status or _DEFAULT_ERROR_STATUS, details.get("Code", "Unknown"), details.get("Message", "")
    )


def record_of(payload: str) -> dict[str, Any]:
    """Read a payload into the arguments of PutRecord.

    Raises
    ------
    PayloadError
        When it is no JSON object, or its data is no base64.
    """
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise PayloadError(f"the payload is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise PayloadError("the payload is no JSON object")
    record = {name: document[name] for name in _MEMBERS if document.get(name) is not None}
    try:
        if "Data" in record:
            record["Data"] = base64.b64decode(record["Data"], validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise PayloadError("Data is not base64") from None
    return record


class RecordPutter:
    """Puts one record a request, each in a call of its own, as API Gateway does.

    Parameters
    ----------
    executor : Executor
        Where the calls wait.
    """

    def __init__(self, put_record: PutRecord, executor: Executor) -> None:
        self._put_record = put_record
        self._executor = executor

    async def put(self, record: Mapping[str, Any]) -> BackendAnswer:
        """Put a record; the answer is that of Kinesis.

        Raises
        ------
        GatewayError
            When Kinesis did not answer.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._answer, record)

    def _answer(self, record: Mapping[str, Any]) -> BackendAnswer:
        try:
            result = self._put_record(**record)
        except ClientError as error:
            return client_error_answer(error)
        except ParamValidationError as error:
            # The SDK checks what Kinesis does: a member of another type does not deserialise, one
            # that is missing, too short or too long is invalid.
            wrong_type = "Invalid type for parameter" in str(error)
            code = "SerializationException" if wrong_type else "ValidationException"
            return error_answer(400, code, str(error))
        except (ConnectTimeoutError, ReadTimeoutError) as error:
            raise GatewayError("INTEGRATION_TIMEOUT", reason=type(error).__name__) from error
        except BotoCoreError as error:
            raise GatewayError("INTEGRATION_FAILURE", reason=type(error).__name__) from error
        fields = {name: value for name, value in result.items() if name != "ResponseMetadata"}
        return BackendAnswer(200, orjson.dumps(fields))
