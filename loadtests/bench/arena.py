"""The services of a benchmark: an emulator in another process, and a processor that uses it."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loadtests.bench.stand_ins import REGION, SECRET
from local.emulator import Emulator
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import load_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from settings.source.loader import LoadedSource

PROJECT, STAGE, TABLE, BUCKET, STREAM = "Bench", "bench", "dedupe", "archive", "events"
CHECKPOINTS = "checkpoints"
#: A source that is fetched, and its feed.
POLLED, FEED = "okta-system-log", "logs"
SOURCES = ("github", "zoom", "generic", POLLED)


class Arena:
    """An emulator with everything that a fan-out needs.

    Parameters
    ----------
    folder : Path
        Holds the compiled catalogue, and whatever a part of the benchmarks puts there.
    """

    def __init__(
        self,
        emulator: Emulator,
        sources: dict[str, LoadedSource],
        queues: dict[str, str],
        folder: Path,
    ) -> None:
        self.emulator = emulator
        self.sources = sources
        self.queues = queues
        self.folder = folder
        #: What Lambda would tell the handlers.
        self.environment = _environment(emulator, queues)

    def empty(self) -> None:
        """Forget what was delivered, so that the services do the same work in each round."""
        sqs = self.emulator.client("sqs")
        for url in self.queues.values():
            sqs.purge_queue(QueueUrl=url)


@contextmanager
def arena(folder: Path, names: Sequence[str] = SOURCES) -> Iterator[Arena]:
    """Start the services, and set this process's environment as Lambda would, until the end."""
    sources = load_sources(names)
    write_compiled_catalog(sources, folder)
    before = dict(os.environ)
    sys.path.insert(0, str(folder))
    try:
        with Emulator(folder / "state", region=REGION) as emulator:
            place = Arena(emulator, sources, _create(emulator, sources), folder)
            os.environ.update(place.environment)
            yield place
    finally:
        sys.path.remove(str(folder))
        os.environ.clear()
        os.environ.update(before)


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
    for table in (TABLE, CHECKPOINTS):
        emulator.client("dynamodb").create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    emulator.client("kinesis").create_stream(StreamName=STREAM, ShardCount=2)
    emulator.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return queues


def _environment(emulator: Emulator, queues: dict[str, str]) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        **emulator.credentials.environment(),
        "AWS_EC2_METADATA_DISABLED": "true",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": PROJECT,
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "PROJECT": PROJECT,
        "STAGE": STAGE,
        "QUEUE_URLS": json.dumps(queues),
        "DEDUPE_TABLE": TABLE,
        "ARCHIVE_BUCKET": BUCKET,
        "STREAM_NAME": STREAM,
        "PUBLIC_URL": "https://hooks.example.com",
        "MAX_RECORD_KIB": "1024",
        "CHECKPOINT_TABLE": CHECKPOINTS,
        "FAN_OUT_FUNCTION": "fan-out",
        "ARCHIVER_FUNCTION": "archiver",
    }
