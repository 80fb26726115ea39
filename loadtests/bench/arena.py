"""The services of a benchmark: an emulator in another process, and a processor that uses it."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from loadtests.bench.payloads import SECRET
from pipeline.local.emulator import Emulator
from pipeline.sources.compiler import write_compiled_catalog
from pipeline.sources.loader import load_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.sources.loader import LoadedSource

PROJECT, STAGE, TABLE, BUCKET, STREAM = "Bench", "bench", "dedupe", "archive", "events"
REGION = "us-west-2"


class Arena:
    """An emulator with everything that a fan-out needs.

    Parameters
    ----------
    emulator : Emulator
        The services.
    sources : dict[str, LoadedSource]
        The catalogue of the run.
    queues : dict[str, str]
        Queue name to URL.
    """

    def __init__(
        self, emulator: Emulator, sources: dict[str, LoadedSource], queues: dict[str, str]
    ) -> None:
        self.emulator = emulator
        self.sources = sources
        self.queues = queues

    def empty(self) -> None:
        """Forget what was delivered, so that the services do the same work in each round."""
        sqs = self.emulator.client("sqs")
        for url in self.queues.values():
            sqs.purge_queue(QueueUrl=url)


@contextmanager
def arena(folder: Path, names: Sequence[str] = ("github", "zoom", "generic")) -> Iterator[Arena]:
    """Start the services, and set this process's environment as Lambda would.

    Parameters
    ----------
    folder : Path
        For the emulator's state and the compiled catalogue.
    names : Sequence[str]
        The sources of the catalogue.
    """
    sources = load_sources(names)
    write_compiled_catalog(sources, folder)
    sys.path.insert(0, str(folder))
    with Emulator(folder / "state", region=REGION) as emulator:
        queues = _create(emulator, sources)
        os.environ.update(_environment(emulator, queues))
        yield Arena(emulator, sources, queues)


def _create(emulator: Emulator, sources: dict[str, LoadedSource]) -> dict[str, str]:
    sqs, ssm = emulator.client("sqs"), emulator.client("ssm")
    queues: dict[str, str] = {
        name: sqs.create_queue(QueueName=name)["QueueUrl"]
        for source in sources.values()
        for name in source.queues
    }
    for name, source in sources.items():
        parameter = f"/{PROJECT}/{name}/{STAGE}/{source.settings.parameter}"
        ssm.put_parameter(Name=parameter, Value=SECRET, Type="SecureString")
    emulator.client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    emulator.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return queues


def _environment(emulator: Emulator, queues: dict[str, str]) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_EC2_METADATA_DISABLED": "true",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": PROJECT,
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "PROJECT": PROJECT,
        "STAGE": STAGE,
        "QUEUE_URLS": json.dumps(queues),
        "DEDUPE_TABLE": TABLE,
        "ARCHIVE_BUCKET": BUCKET,
    }


class Context:
    """What a handler sees of Lambda."""

    function_name = "bench"
    memory_limit_in_mb = 1024
    invoked_function_arn = f"arn:aws:lambda:{REGION}:000000000000:function:bench"
    aws_request_id = "bench"

    def get_remaining_time_in_millis(self) -> int:
        """Give a minute, always."""
        return 60_000


def no_op_services() -> dict[str, Any]:
    """Give clients that answer at once: what is left is the processor's own time."""
    return {"sqs": _NoSqs(), "dynamodb": _NoDynamoDb(), "s3": _NoS3()}


class _NoSqs:
    def send_message_batches(self, calls: Any) -> Any:
        return [{"Successful": [{"Id": one["Id"]} for one in call["Entries"]]} for call in calls]


class _NoDynamoDb:
    def batch_get_items(self, calls: Any) -> Any:
        return [{"Responses": {}} for _ in calls]

    def batch_write_items(self, calls: Any) -> Any:
        return [{} for _ in calls]


class _NoS3:
    def put_object(self, **_: Any) -> Any:
        return {}
