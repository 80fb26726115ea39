"""Calls the fan-out as Lambda does, and makes one whose services answer at once."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from loadtests.bench.measuring import WorkError
from loadtests.bench.stand_ins import SECRET, FakeContext, no_op_services
from pipeline.archive.writer import ArchiveWriter
from pipeline.event.compiled_source import Catalog, load_catalog
from pipeline.fan_out.delivery import SqsDelivery
from pipeline.fan_out.duplicates import DeduplicationTable
from pipeline.runtime.collector import without_collection
from pipeline.runtime.deadline import Deadline
from pipeline.runtime.environment import FanOutEnvironment
from pipeline.runtime.secret_store import SecretStore
from stream_processors import fan_out


def invoke(batch: list[dict[str, Any]]) -> None:
    """Call the handler as Lambda does; WorkError when a part of the batch was not settled."""
    answer = fan_out.handler({"Records": batch}, FakeContext())  # type: ignore[arg-type]
    if answer["batchItemFailures"]:
        raise WorkError("fan-out: a batch of the benchmarks was not settled")


class FixedSecrets:
    """Answers for the parameter store."""

    def get_parameter(self, **_: Any) -> Any:
        """Return the secret of the benchmarks."""
        return {"Parameter": {"Value": SECRET}}


def on_no_op_services(catalog: Catalog | None = None) -> fan_out.FanOut:
    """Return a processor whose services answer at once."""
    services, environment = no_op_services(), FanOutEnvironment.read(os.environ)
    return fan_out.FanOut(
        catalog=catalog or load_catalog(),
        secrets=SecretStore(FixedSecrets(), environment.project, environment.stage),
        table=DeduplicationTable(services["dynamodb"], environment.dedupe_table),
        delivery=SqsDelivery(services["sqs"], environment.queue_urls),
        archive=ArchiveWriter(services["s3"], environment.archive_bucket),
    )


@without_collection
def process_alone(batch: list[dict[str, Any]]) -> None:
    """Take a batch the whole way, with services that answer at once."""
    settlement = _alone().process(batch, Deadline(lambda: 60.0))
    fan_out.report(settlement, batch, "bench")


@cache
def _alone() -> fan_out.FanOut:
    return on_no_op_services()
