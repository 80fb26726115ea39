"""The lean signer against botocore's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.account import Account, AccountError
from pipeline.aws.s3_reading import canonical_query
from pipeline.aws.signing import Signer

NOW = datetime(2026, 11, 23, 23, 59, 58, tzinfo=UTC)
ENVIRON = {
    "AWS_REGION": "us-west-2",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "a/session+token==",
}


def botocores(account: Account, service: str, url: str, method: str, **more: Any) -> dict[str, str]:
    request = AWSRequest(method=method, url=url, **more)
    credentials = Credentials(account.access_key, account.secret_key, account.session_token or None)
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    with patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        kind(credentials, service, account.region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@given(st.binary(max_size=200), st.booleans())
def test_json_requests_are_signed_as_botocore_signs_them(body: bytes, with_token: bool) -> None:
    environ = ENVIRON if with_token else {**ENVIRON, "AWS_SESSION_TOKEN": ""}
    account = Account.read(environ)
    given_headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.X"}
    signer = Signer(account, "sqs", now=lambda: NOW)
    ours = signer.headers("POST", "sqs.us-west-2.amazonaws.com", "/", body, given_headers)
    digest = {"x-amz-content-sha256": ours["x-amz-content-sha256"]}
    theirs = botocores(
        account,
        "sqs",
        "https://sqs.us-west-2.amazonaws.com/",
        "POST",
        data=body,
        headers={**given_headers, **digest},
    )
    assert ours["authorization"] == theirs["authorization"]
    assert ours["x-amz-date"] == theirs["x-amz-date"]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60))
def test_objects_are_signed_as_botocore_signs_them(key: str) -> None:
    account = Account.read(ENVIRON)
    path = "/" + quote(key.strip("/.") or "k", safe="/-_.~")
    signer = Signer(account, "s3", now=lambda: NOW)
    host = "archive.s3.us-west-2.amazonaws.com"
    ours = signer.headers("PUT", host, path, b"content", {"content-type": "application/gzip"})
    theirs = botocores(
        account,
        "s3",
        f"https://{host}{path}",
        "PUT",
        data=b"content",
        headers={"content-type": "application/gzip"},
    )
    assert ours["x-amz-content-sha256"] == theirs["x-amz-content-sha256"]
    assert ours["authorization"] == theirs["authorization"]


@given(st.dictionaries(st.sampled_from(["prefix", "start-after", "list-type"]), st.text()))
def test_queries_are_signed_as_botocore_signs_them(parameters: dict[str, str]) -> None:
    account = Account.read(ENVIRON)
    host, query = "archive.s3.us-west-2.amazonaws.com", canonical_query(parameters)
    signer = Signer(account, "s3", now=lambda: NOW)
    ours = signer.headers("GET", host, "/", b"", {}, query=query)
    theirs = botocores(account, "s3", f"https://{host}/?{query}", "GET")
    assert ours["authorization"] == theirs["authorization"]
    assert dict(parse_qsl(query, keep_blank_values=True)) == parameters


def test_the_key_is_made_anew_each_day() -> None:
    account, times = Account.read(ENVIRON), [NOW, datetime(2026, 11, 24, tzinfo=UTC)]
    signer = Signer(account, "sqs", now=lambda: times[0])
    first = signer.headers("POST", "h", "/", b"", {})["authorization"]
    times.pop(0)
    second = signer.headers("POST", "h", "/", b"", {})["authorization"]
    fresh = Signer(account, "sqs", now=lambda: times[0]).headers("POST", "h", "/", b"", {})
    assert "/20261123/" in first
    assert "/20261124/" in second
    assert second == fresh["authorization"]


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(AccountError, match=name):
        Account.read({**ENVIRON, name: ""})


def test_endpoints() -> None:
    account = Account.read(ENVIRON)
    assert account.endpoint("sqs") == "https://sqs.us-west-2.amazonaws.com"
    china = Account.read({**ENVIRON, "AWS_REGION": "cn-north-1"})
    assert china.endpoint("s3") == "https://s3.cn-north-1.amazonaws.com.cn"
    other = Account.read({**ENVIRON, "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})
    assert other.endpoint("sqs") == "http://127.0.0.1:4566"


def test_a_secret_never_shows_in_the_headers() -> None:
    signer = Signer(Account.read(ENVIRON), "sqs", now=lambda: NOW)
    headers = signer.headers("POST", "h", "/", b"", {})
    assert ENVIRON["AWS_SECRET_ACCESS_KEY"] not in " ".join(headers.values())
