"""What jobs read of S3, with the names, parameters and answers of boto3's client.

Amazon S3 API Reference, GetObject and ListObjectsV2.
"""

from __future__ import annotations

import io
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_plus
from xml.etree import ElementTree as ET

from botocore.exceptions import HTTPClientError

from pipeline.aws.clients import S3
from pipeline.aws.errors import read_error
from pipeline.aws.json_service import call_again

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.aws.wire import RawResponse

_XMLNS = "{*}"
#: Keys may have characters that XML cannot hold; the answer then has them URL-encoded.
_LISTING = {"list-type": "2", "encoding-type": "url"}
#: The parameters of ListObjectsV2 that are used here.
_QUERY = {
    "Prefix": "prefix",
    "Delimiter": "delimiter",
    "StartAfter": "start-after",
    "ContinuationToken": "continuation-token",
}


class ReadableS3(S3):
    """Amazon S3: the bucket that a job reads.

    Reading is tried as often as `config` says. An object is held whole: who reads large ones asks
    for ranges.
    """

    def get_object(
        self, *, Bucket: str, Key: str, Range: str = "", IfMatch: str = ""
    ) -> dict[str, Any]:
        """Read an object, or a range of it; raises as `put_object` does."""
        wanted = {"range": Range, "if-match": IfMatch}
        headers = {name: value for name, value in wanted.items() if value}
        answer = self._read("GetObject", lambda: self._send("GET", Bucket, Key, headers=headers))
        return {
            "Body": io.BytesIO(answer.body),
            "ContentLength": len(answer.body),
            "ContentRange": answer.headers.get("content-range", ""),
            "ETag": answer.headers.get("etag", ""),
        }

    def list_objects_v2(self, *, Bucket: str, **parameters: str) -> dict[str, Any]:
        """List a page of keys; raises as `put_object` does."""
        wanted = {_QUERY[name]: value for name, value in parameters.items()} | _LISTING
        query = canonical_query(wanted)
        answer = self._read("ListObjectsV2", lambda: self._send("GET", Bucket, query=query))
        return read_listing(answer.body)

    def _read(self, operation: str, send: Callable[[], RawResponse]) -> RawResponse:
        def once() -> RawResponse:
            answer = send()
            if answer.status not in {200, 206}:
                raise read_error(operation, answer)
            return answer

        return call_again(once, self._config)


def canonical_query(parameters: Mapping[str, str]) -> str:
    """Write a query as it is signed and sent (AWS Signature Version 4: in order, URL-encoded)."""
    pairs = sorted((quote(name, safe="-_.~"), value) for name, value in parameters.items())
    return "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in pairs)


def read_listing(body: bytes) -> dict[str, Any]:
    """Read a page of keys.

    Raises
    ------
    HTTPClientError
        When it is none: an answer that cannot be read must not look like an empty bucket.
    """
    try:
        return _listing(ET.fromstring(body))  # noqa: S314 - of AWS; expat bounds entities
    except (ET.ParseError, ValueError) as error:
        raise HTTPClientError(error=f"ListObjectsV2: the answer is no listing: {error}") from None


def _listing(root: ET.Element) -> dict[str, Any]:
    if root.tag.rpartition("}")[2] != "ListBucketResult":
        raise ValueError(root.tag)
    decode = unquote_plus if _text(root, "EncodingType") == "url" else str
    contents = [
        {
            "Key": decode(_text(item, "Key")),
            "Size": int(_text(item, "Size")),
            "LastModified": datetime.fromisoformat(_text(item, "LastModified")),
        }
        for item in root.iterfind(f"{_XMLNS}Contents")
    ]
    folders = root.iterfind(f"{_XMLNS}CommonPrefixes")
    return {
        "IsTruncated": _text(root, "IsTruncated") == "true",
        "NextContinuationToken": _text(root, "NextContinuationToken"),
        "Contents": contents,
        "CommonPrefixes": [{"Prefix": decode(_text(item, "Prefix"))} for item in folders],
    }


def _text(element: ET.Element, name: str) -> str:
    return element.findtext(f"{_XMLNS}{name}") or ""
