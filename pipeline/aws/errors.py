"""The errors of AWS's services: their names in every spelling, and which of them may pass.

A service names an error in its answer's body, in `x-amzn-errortype`, or, where it spoke the query
protocol before, as it did then in `x-amzn-query-error`; with a namespace before it or a URI after
it; in JSON or in XML; or by its HTTP status alone. What is made of it is what botocore makes of it,
so callers compare one name whatever client they have. Errors are botocore's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import ClientError

from pipeline.aws.limits import PASSING_ERRORS, PASSING_STATUSES, THROTTLING_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.aws.seams import Failure
    from pipeline.aws.wire import RawResponse

_LONGEST_MESSAGE = 2_000
#: An answer that is longer is no error of a service.
_LONGEST_XML = 64 * 1024


def read_error(operation: str, answer: RawResponse) -> ClientError:
    """Return the error that an answer is."""
    code, message = _read_body(answer.body)
    headers = answer.headers
    query_error = headers.get("x-amzn-query-error", "").split(";")
    if len(query_error) == 2 and query_error[0]:
        code = query_error[0]
    code = code or headers.get("x-amzn-errortype", "")
    return client_error(
        operation, answer.status, error_name(code) or str(answer.status), message[:_LONGEST_MESSAGE]
    )


def error_name(text: str) -> str:
    """Return the bare name of an error: `Name` of `com.amazon.x#Name:http://…`."""
    return text.partition(":")[0].rpartition("#")[2].strip()


def is_throttle(code: str, status: int = 0) -> bool:
    """Tell whether an error says to call less often.

    Parameters
    ----------
    code : str
        In any spelling.
    status : int
        The HTTP status; 0 for an error that has none, as that of one message of a batch.
    """
    name = error_name(code)
    return status in PASSING_STATUSES or name in THROTTLING_ERRORS or _status(name)


def is_throttled(error: Failure) -> bool:
    """Tell whether a call ended because there were too many."""
    return isinstance(error, ClientError) and is_throttle(*_code_and_status(error))


def may_pass(error: Failure) -> bool:
    """Tell whether the same call may work a moment later."""
    if not isinstance(error, ClientError):
        return True
    code, status = _code_and_status(error)
    return status >= 500 or error_name(code) in PASSING_ERRORS or is_throttle(code, status)


def client_error(operation: str, status: int, code: str, message: str) -> ClientError:
    """Return an error as botocore raises it."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "RequestId": "",
                "HostId": "",
                "HTTPStatusCode": status,
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        operation,
    )


def _status(name: str) -> bool:
    # Where an answer names no error, its status stands for the name.
    return name.isascii() and name.isdigit() and len(name) == 3 and int(name) in PASSING_STATUSES


def _code_and_status(error: ClientError) -> tuple[str, int]:
    answer: Mapping[str, Any] = error.response
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return str(answer.get("Error", {}).get("Code", "")), int(status or 0)


def _read_body(body: bytes) -> tuple[str, str]:
    """Return the name and the message in an answer's body; empty where there is none."""
    if body.lstrip()[:1] == b"<":
        return _read_xml(body)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", ""
    if not isinstance(document, dict):
        return "", ""
    # A gateway in between writes REST's `code`.
    code = _text(document, "__type", "code", "Code")
    return code, _text(document, "message", "Message")


def _text(document: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = document.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _read_xml(body: bytes) -> tuple[str, str]:
    """Read `<Error>`, which is the whole of S3's answer and a part of the query protocol's."""
    # Not at the top: no batch without a fault needs it.
    from xml.etree import ElementTree as ET

    if len(body) > _LONGEST_XML:
        return "", ""
    try:
        root = ET.fromstring(body)  # noqa: S314 - of AWS, and short; expat bounds entities
    except ET.ParseError:
        return "", ""
    for element in root.iter():
        if _local_name(element.tag) == "Error":
            found = {_local_name(child.tag): (child.text or "").strip() for child in element}
            return found.get("Code", ""), found.get("Message", "")
    return "", ""


def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2]
