"""Puts the records of integrations on the stream: one call of PutRecord a request."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import orjson
import pybase64
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import Session
from botocore.validate import ParamValidator

from local.gateway.errors import GatewayError
from local.gateway.replies import BackendAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import Shape

    from local.credentials import RunCredentials

#: Kinesis API reference, PutRecord: what a call may hold. Kinesis leaves anything else aside.
_MEMBERS = (
    "Data", "ExplicitHashKey", "PartitionKey", "SequenceNumberForOrdering", "StreamARN",
    "StreamName",
)  # fmt: skip
_HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "Kinesis_20131202.PutRecord",
}
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 60.0


class PutRecord(Protocol):
    """Puts one record on its stream."""

    async def __call__(self, record: Mapping[str, Any], /) -> BackendAnswer:
        """Return the answer of Kinesis; GatewayError when there was none.

        Parameters
        ----------
        record : Mapping[str, Any]
            The members of PutRecord's JSON: `Data` is base64.
        """


class PayloadError(ValueError):
    """A payload that Kinesis refuses before it looks for the stream; `code` is its own word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def error_answer(status: int, code: str, message: str) -> BackendAnswer:
    """Make the answer of a JSON service for an error."""
    return BackendAnswer(status, orjson.dumps({"__type": code, "message": message}))


def record_of(payload: str) -> dict[str, Any]:
    """Read a payload into the members of PutRecord.

    Raises
    ------
    PayloadError
        When it is no JSON object, its data is no base64, or a member is not what botocore's model
        of PutRecord has: of another type it does not deserialise; missing, too short or too long it
        is invalid.
    """
    try:
        document = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise _not_deserialised(f"the payload is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise _not_deserialised("the payload is no JSON object")
    record = {name: document[name] for name in _MEMBERS if document.get(name) is not None}
    try:
        data = (
            {"Data": pybase64.b64decode(record["Data"], validate=True)} if "Data" in record else {}
        )
    except (ValueError, TypeError):
        raise _not_deserialised("Data is not base64") from None
    if (found := ParamValidator().validate({**record, **data}, _put_record())).has_errors():
        report = found.generate_report()
        if "Invalid type for parameter" in report:
            raise _not_deserialised(report)
        raise PayloadError("ValidationException", report)
    return record


def _not_deserialised(why: str) -> PayloadError:
    return PayloadError("SerializationException", why)


@cache
def _put_record() -> Shape:
    shape = Session().get_service_model("kinesis").operation_model("PutRecord").input_shape
    assert shape is not None  # noqa: S101 - the model has it
    return shape


class KinesisCaller:
    """Calls PutRecord as API Gateway does: the payload of the template, signed with the role.

    The SDK's client takes three times as long for a call, and a thread for each that waits. It
    makes no second attempt: the sender is answered, and tries again.

    Parameters
    ----------
    credentials : RunCredentials
        Those of the integration's role.
    """

    def __init__(self, endpoint_url: str, region: str, credentials: RunCredentials) -> None:
        self._url = f"{endpoint_url}/"
        keys = Credentials(credentials.access_key_id, credentials.secret_access_key)
        self._signer = SigV4Auth(keys, "kinesis", region)
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, record: Mapping[str, Any], /) -> BackendAnswer:
        """Put a record; the answer is that of Kinesis, errors included."""
        request = AWSRequest("POST", self._url, headers=_HEADERS, data=orjson.dumps(record))
        self._signer.add_auth(request)
        if self._session is None:
            self._session = _session()
        headers = dict(request.headers.items())
        try:
            async with self._session.post(self._url, data=request.data, headers=headers) as answer:
                return BackendAnswer(answer.status, await answer.read())
        except TimeoutError as error:
            raise GatewayError("INTEGRATION_TIMEOUT", reason=type(error).__name__) from error
        except aiohttp.ClientError as error:
            raise GatewayError("INTEGRATION_FAILURE", reason=type(error).__name__) from error

    async def close(self) -> None:
        """Close its connections."""
        if self._session:
            await self._session.close()


def _session() -> aiohttp.ClientSession:
    """Return a session that waits as the SDK's clients here do, and has no cookies and no proxy."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS),
    )
