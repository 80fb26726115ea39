"""Where the lean clients find AWS, beside where botocore finds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.loaders import Loader

from infra.assembly.endpoint_table import SERVICES as TABLED
from infra.assembly.endpoint_table import VARIANTS, Resolver, render
from pipeline.aws import endpoint_table
from pipeline.aws.account import SERVICES, Account, AccountError
from pipeline.aws.clients import S3, DynamoDb, Kinesis, Sqs, Ssm
from pipeline.aws.connections import Connections
from pipeline.aws.wire import RawResponse

ENVIRON = {
    "AWS_REGION": "us-west-2",
    "AWS_DEFAULT_REGION": "us-west-2",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
}
#: A call of each service, as botocore's client names it.
CALLS: dict[str, Callable[[Any], object]] = {
    "dynamodb": lambda client: client.batch_get_item(
        RequestItems={"t": {"Keys": [{"pk": {"S": "k"}}]}}
    ),
    "kinesis": lambda client: client.put_record(StreamName="s", PartitionKey="k", Data=b""),
    "s3": lambda client: client.put_object(Bucket="bucket", Key="k", Body=b""),
    "sqs": lambda client: client.send_message_batch(QueueUrl="u", Entries=[]),
    "ssm": lambda client: client.get_parameter(Name="/n"),
}
PUT = {"Bucket": "bucket", "Key": "k", "Body": b"", "ContentType": "text/plain"}
OURS: dict[str, Callable[[Account], object]] = {
    "dynamodb": lambda account: DynamoDb(account).batch_get_items([{}]),
    "kinesis": lambda account: Kinesis(account).put_record(
        StreamName="s", PartitionKey="k", Data=b""
    ),
    "s3": lambda account: S3(account, "bucket").put_object(**PUT),  # type: ignore[arg-type]
    "sqs": lambda account: Sqs(account).send_message_batches([{}]),
    "ssm": lambda account: Ssm(account).get_parameter(Name="/n", WithDecryption=True),
}


#: Read once: the models are large.
LOADER = Loader()


class SentError(Exception):
    """A request was made, and is not sent."""


def botocores(service: str) -> str:
    """The URL to which botocore's client would send a call."""

    def stop(request: Any, **_: Any) -> None:
        raise SentError(request.url)

    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    client = session.create_client(service)
    client.meta.events.register("before-send.*.*", stop)
    with pytest.raises(SentError) as caught:
        CALLS[service](client)
    return str(caught.value)


def set_environ(monkeypatch: pytest.MonkeyPatch, more: Mapping[str, str]) -> dict[str, str]:
    environ = {**ENVIRON, **more}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return environ


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URL of each request that a lean client made."""
    found: list[str] = []

    def send(self: Connections, _: str, path: str, *__: Any) -> RawResponse:
        found.append(f"{urlsplit(self.endpoint).scheme}://{self.host}{path}")
        return RawResponse(200, b"{}")

    def send_each(self: Connections, requests: Any) -> list[RawResponse]:
        return [send(self, "POST", one.split(b" ", 2)[1].decode()) for one in requests]

    monkeypatch.setattr(Connections, "send", send)
    monkeypatch.setattr(Connections, "send_each", send_each)
    return found


def test_every_service_is_found_in_every_region_of_every_partition_where_botocore_finds_it() -> (
    None
):
    resolver = Resolver()
    assert len(resolver.regions) > 45
    assert {"cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1"} <= {*resolver.regions}
    assert SERVICES == TABLED
    for region in [*resolver.regions, "eu-nowhere-7", "us-gov-nowhere-7", "nowhere"]:
        for service in SERVICES:
            for (fips, dual_stack), host in zip(
                VARIANTS, resolver.hosts(service, region), strict=True
            ):
                account = Account(region, "key", "secret", fips=fips, dual_stack=dual_stack)
                if host is None:
                    with pytest.raises(AccountError, match=f"{service} has no such endpoint"):
                        account.endpoint(service)
                else:
                    assert account.endpoint(service) == f"https://{host}"


def test_the_table_is_what_botocore_knows_now() -> None:
    made: dict[str, Any] = {}
    exec(render(Resolver()), made)
    assert made["PARTITIONS"] == endpoint_table.PARTITIONS, "make endpoints"
    assert list(made["PARTITIONS"]) == list(endpoint_table.PARTITIONS)
    assert made["EXCEPTIONS"] == endpoint_table.EXCEPTIONS, "make endpoints"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"AWS_REGION": "us-east-1"},
        {"AWS_REGION": "us-east-1", "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "regional"},
        {"AWS_REGION": "cn-northwest-1"},
        {"AWS_REGION": "us-iso-east-1", "AWS_USE_FIPS_ENDPOINT": "True"},
        {"AWS_REGION": "us-gov-west-1", "AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_USE_FIPS_ENDPOINT": "false", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"},
        {"AWS_ENDPOINT_URL": "https://proxy.test/aws/"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SQS": "http://sqs.test"},
        {"AWS_ENDPOINT_URL_DYNAMODB": "http://d.test:8", "AWS_ENDPOINT_URL_S3": "http://s.test"},
        {"AWS_ENDPOINT_URL_KINESIS": "http://k.test/x", "AWS_ENDPOINT_URL_SSM": "http://m.test"},
        {"AWS_ENDPOINT_URL": "http://a.test", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        {"AWS_ENDPOINT_URL": "http://a.test", "AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_ENDPOINT_URL_S3": "http://a.test/", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_ENDPOINT_URL_S3": "http://a.test", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "no"},
    ],
)
def test_an_environment_leads_both_to_one_address(
    monkeypatch: pytest.MonkeyPatch, sent: list[str], service: str, more: dict[str, str]
) -> None:
    region = more.get("AWS_REGION", ENVIRON["AWS_REGION"])
    environ = set_environ(monkeypatch, {**more, "AWS_DEFAULT_REGION": region})
    OURS[service](Account.read(environ))
    assert sent == [botocores(service)]
