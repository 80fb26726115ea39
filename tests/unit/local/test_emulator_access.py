"""Who may call the emulator. The other side of the signature is botocore's own signer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from local.credentials import RunCredentials
from local.emulator_access import SERVICES, Access, AccessRefusedError, host_is_own
from pipeline.aws.account import Account
from pipeline.aws.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN = RunCredentials("LOCAL0123456789", "a secret that is made up")
HOST = "127.0.0.1:4566"
BODY = b'{"StreamName":"events"}'


class Sent:
    """A request as it comes in."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        parts = urlsplit(url)
        self.method, self.path, self.query, self.body = method, parts.path, parts.query, body
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.headers.setdefault("host", parts.netloc)

    def ask(self, access: Access | None = None) -> str:
        """Be checked; give the role that sent it."""
        access = access or Access(OWN)
        access.check_head(self.path, self.headers)
        return access.check(self.method, self.path, self.query, self.headers, self.body).role


def signed(
    service: str = "kinesis",
    *,
    method: str = "POST",
    path: str = "/",
    body: bytes = BODY,
    by: RunCredentials = OWN,
    **headers: str,
) -> Sent:
    """A request that botocore has signed."""
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method=method, url=f"http://{HOST}{path}", data=body, headers=named)
    keys = Credentials(by.access_key_id, by.secret_access_key)
    kind(keys, service, "us-west-2").add_auth(request)
    return Sent(method, f"http://{HOST}{path}", dict(request.headers), body)


def test_a_role_is_known_by_its_key_and_can_make_that_of_no_other() -> None:
    access, role = Access(OWN), OWN.of_role("FanOutRole1A2B3C4D")
    assert signed(by=OWN).ask(access) == ""
    assert signed(by=role).ask(access) == "FanOutRole1A2B3C4D"
    for key in (
        RunCredentials(OWN.access_key_id, role.secret_access_key),
        RunCredentials(f"{OWN.access_key_id}PollerRole", role.secret_access_key),
        RunCredentials(f"{OWN.access_key_id}PollerRole", OWN.secret_access_key),
        role.of_role("Poller"),
        RunCredentials("LOCAL9999", "x").of_role("FanOutRole1A2B3C4D"),
    ):
        with pytest.raises(AccessRefusedError):
            signed(by=key).ask(access)


@pytest.mark.parametrize("service", SERVICES)
def test_what_botocore_signs_is_admitted(service: str) -> None:
    signed(service).ask()
    signed(service, path="/000000000000/queue", x_amz_target="A.b", x_odd="  two  spaces ").ask()


@pytest.mark.parametrize(
    "path",
    [
        "/bucket?list-type=2&prefix=raw%2Fa%3Db&encoding-type=url",
        "/bucket?location",
        "/bucket/raw/a%3Db/c%20d%2Be~f",
        "/bucket/a//b/../c",
        "/bucket?b=1&a=2&a=1&a-b=3",
    ],
)
def test_paths_and_queries_of_s3_are_read_as_they_are_signed(path: str) -> None:
    signed("s3", method="GET", path=path, body=b"").ask()


def test_a_query_that_was_written_anew_on_the_way_is_the_same() -> None:
    sent = signed("s3", method="GET", path="/bucket?list-type=2&prefix=raw%2Fa%3Db", body=b"")
    sent.query = "list-type=2&prefix=raw/a%3Db"
    sent.ask()
    sent.query = "list-type=2&prefix=raw/b%3Db"
    with pytest.raises(AccessRefusedError, match="signature"):
        sent.ask()


def test_a_path_of_another_service_is_encoded_twice() -> None:
    signed("lambda", method="GET", path="/2015-03-31/functions/arn%3Aaws", body=b"").ask(
        Access(OWN, ["lambda"])
    )


def test_what_this_projects_own_signer_signs_is_admitted() -> None:
    account = Account("us-west-2", OWN.access_key_id, OWN.secret_access_key)
    headers = Signer(account, "sqs").headers("POST", HOST, "/", BODY, {"x-amz-target": "a"})
    Sent("POST", f"http://{HOST}/", headers, BODY).ask()


def test_what_boto3_sends_to_s3_is_admitted() -> None:
    """Bodies of S3 may be sent in chunks, with a checksum behind them."""
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{HOST}",
        aws_access_key_id=OWN.access_key_id,
        aws_secret_access_key=OWN.secret_access_key,
    )
    seen: list[Any] = []

    def keep(request: Any, **_: Any) -> Any:
        seen.append(request)
        raise ConnectionError

    client.meta.events.register("before-send", keep)
    with pytest.raises(ConnectionError):
        client.put_object(Bucket="bucket", Key="a b=c", Body=b"body")
    (request,) = seen
    text = {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in request.headers.items()
    }
    body = request.body if isinstance(request.body, bytes) else request.body.read()
    Sent(request.method, request.url, text, body).ask()


def refused(sent: Sent, access: Access | None = None) -> tuple[int, str]:
    with pytest.raises(AccessRefusedError) as error:
        sent.ask(access)
    return error.value.status, str(error.value)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:4566",
        "127.0.0.1.evil.example:4566",
        "localhost.evil.example",
        "127.0.0.1:4566,evil.example",
        "10.0.0.1:4566",
        "0.0.0.0:4566",
        "[::1]:4566",
    ],
)
def test_a_foreign_host_is_refused(host: str) -> None:
    sent = signed()
    sent.headers["host"] = host
    assert refused(sent) == (403, "the Host is not this machine's own")


def test_the_names_of_this_machine() -> None:
    assert all(map(host_is_own, ["127.0.0.1", "127.0.0.1:1", "localhost", "localhost:65535"]))


@pytest.mark.parametrize("name", ["origin", "referer", "sec-fetch-site", "sec-fetch-mode"])
@pytest.mark.parametrize("value", ["http://evil.example", "null", f"http://{HOST}", ""])
def test_a_web_page_is_refused_even_with_the_right_signature(name: str, value: str) -> None:
    sent = signed()
    sent.headers[name] = value
    assert refused(sent)[0] == 403


@pytest.mark.parametrize(
    "by",
    [
        RunCredentials("test", "test"),
        RunCredentials("000000000000", "test"),
        RunCredentials(OWN.access_key_id, "test"),
        RunCredentials(OWN.access_key_id[:-1], OWN.secret_access_key),
    ],
)
def test_other_credentials_are_refused(by: RunCredentials) -> None:
    assert refused(signed(by=by))[0] == 403


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer x",
        "Basic dGVzdDp0ZXN0",
        "é",
        "AWS4-HMAC-SHA256",
        f"AWS4-HMAC-SHA256 Credential={OWN.access_key_id}/20261126/us-west-2/sqs/aws4_request",
    ],
)
def test_no_signature_is_none(value: str) -> None:
    sent = signed()
    sent.headers["authorization"] = value
    assert refused(sent)[0] == 403
    del sent.headers["authorization"]
    assert refused(sent)[0] == 403


def test_a_signature_in_the_query_is_none() -> None:
    sent = Sent("GET", f"http://{HOST}/?X-Amz-Credential={OWN.access_key_id}/x", {}, b"")
    assert refused(sent)[0] == 403


@pytest.mark.parametrize("left_out", ["host", "x-amz-date"])
def test_host_and_date_must_be_signed(left_out: str) -> None:
    sent = signed()
    header = sent.headers["authorization"]
    start, listed, rest = header.partition("SignedHeaders=")
    names, comma, rest = rest.partition(",")
    kept = ";".join(name for name in names.split(";") if name != left_out)
    sent.headers["authorization"] = start + listed + kept + comma + rest
    assert refused(sent) == (403, "the signature must cover host and x-amz-date")


@pytest.mark.parametrize("minutes", [-16, 16, 60 * 24])
def test_an_old_request_is_refused(minutes: int) -> None:
    later = datetime.now(UTC) + timedelta(minutes=minutes)
    assert refused(signed(), Access(OWN, now=lambda: later)) == (403, "signed too long ago")


@pytest.mark.parametrize("service", ["lambda", "ecs", "codebuild", "ec2", "iam", "states", "sts"])
def test_a_service_that_is_not_in_use_is_not_there(service: str) -> None:
    assert refused(signed(service)) == (501, "this service is not in use here")


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_localstack/health", "/_aws/execute-api"])
def test_the_emulators_own_doors_are_closed(path: str) -> None:
    assert refused(signed(path=path)) == (501, "this service is not in use here")


@given(st.data())
def test_whatever_is_changed_the_signature_no_longer_fits(data: st.DataObject) -> None:
    sent = signed(x_amz_target="Kinesis_20131202.ListStreams", path="/?a=1")
    match data.draw(st.sampled_from(["body", "method", "path", "query", "header", "signature"])):
        case "body":
            sent.body = data.draw(st.binary().filter(lambda body: body != BODY))
        case "method":
            sent.method = data.draw(st.sampled_from(["GET", "PUT", "DELETE", "post"]))
        case "path":
            sent.path = data.draw(st.sampled_from(["//", "/a", "/%2F", "/."]))
        case "query":
            sent.query = data.draw(st.sampled_from(["", "a=2", "a=1&b", "A=1"]))
        case "header":
            sent.headers["x-amz-target"] = data.draw(st.text(max_size=9))
        case "signature":
            hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
            whole = sent.headers["authorization"]
            sent.headers["authorization"] = whole[:-64] + data.draw(hexes)
    assert refused(sent)[0] == 403


def test_the_secret_is_not_shown() -> None:
    assert OWN.secret_access_key not in repr(OWN)
    assert RunCredentials.make() != OWN
    assert RunCredentials.read(OWN.environment()) == OWN
