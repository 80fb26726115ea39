"""The settings of a stage that decide how it scales, read out of its synthesized template."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.gateway.reader import read_api
from local.mapping.settings import read_mappings
from local.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.mapping.settings import MappingSettings
    from local.template import Template

_HANDLERS = {
    "stream_processors.fan_out.handler": "fan_out",
    "stream_processors.archiver.handler": "archiver",
}


@dataclass(frozen=True)
class SimulatedConsumer:
    """An event source mapping and its function.

    Parameters
    ----------
    retries : int
        After the first attempt; -1 for no limit.
    pushed : bool
        Whether records come by enhanced fan-out.
    reserved : int | None
        Concurrency that is kept for the function, and its limit.
    """

    name: str
    batch_size: int
    window_seconds: float
    lanes: int
    retries: int
    memory_mb: int
    timeout_seconds: float
    pushed: bool = False
    reserved: int | None = None
    bisects: bool = True


@dataclass(frozen=True)
class TableCapacity:
    """Capacity of the deduplication table; None for on-demand.

    Parameters
    ----------
    most_writes, most_reads : float
        What scaling may come to; the capacity itself where it does not scale.
    target : float
        The share of the capacity at which scaling begins.
    """

    writes: float | None = None
    reads: float | None = None
    most_writes: float = 0.0
    most_reads: float = 0.0
    target: float = 0.7


@dataclass(frozen=True)
class SimulatedStack:
    """What the simulation knows of a stack.

    Parameters
    ----------
    shards : int | None
        Of a provisioned stream; None for one that is on-demand.
    requests : float
        The stage's throttle, requests a second; `burst` at once.
    """

    shards: int | None
    consumers: tuple[SimulatedConsumer, ...]
    requests: float = float("inf")
    burst: float = 0.0
    table: TableCapacity = field(default_factory=TableCapacity)

    def consumer(self, name: str) -> SimulatedConsumer:
        """Return `fan_out` or `archiver`."""
        return next(each for each in self.consumers if each.name == name)


def read_stack(template: Template) -> SimulatedStack:
    """Read a template.

    Raises
    ------
    TemplateError
        When it has not one stream with one fan-out.
    """
    streams = list(template.resources("AWS::Kinesis::Stream"))
    consumers = tuple(
        _consumer(template, mapping, _HANDLERS[handler])
        for mapping in read_mappings(template)
        if (handler := _property(template, mapping.function, "Handler")) in _HANDLERS
    )
    if len(streams) != 1 or "fan_out" not in {each.name for each in consumers}:
        raise TemplateError(f"{template.stack_name}: not one stream with one fan-out")
    limits = _limits(template)
    shards = streams[0].properties.get("ShardCount")
    return SimulatedStack(
        shards=None if shards is None else int(shards),
        consumers=consumers,
        requests=max((rate for rate, _ in limits), default=float("inf")),
        burst=max((burst for _, burst in limits), default=0),
        table=_table(template),
    )


def _limits(template: Template) -> list[tuple[float, int]]:
    """Return what the API lets in, a second and at once: of a REST API, route by route."""
    stages = list(template.resources("AWS::ApiGatewayV2::Stage"))
    if not stages:
        routes = (route.throttle for route in read_api(template).routes)
        return [(limit.rate, limit.burst) for limit in routes if limit]
    given = [stage.properties["DefaultRouteSettings"] for stage in stages]
    return [
        (float(each["ThrottlingRateLimit"]), int(each["ThrottlingBurstLimit"])) for each in given
    ]


def _property(template: Template, logical_id: str, name: str) -> Any:
    return template.resource(logical_id).properties.get(name)


def _consumer(template: Template, mapping: MappingSettings, name: str) -> SimulatedConsumer:
    def of_function(key: str) -> Any:
        return _property(template, mapping.function, key)

    return SimulatedConsumer(
        name=name,
        batch_size=mapping.batch_size,
        window_seconds=mapping.window,
        lanes=mapping.lanes,
        retries=mapping.retries,
        memory_mb=int(of_function("MemorySize")),
        timeout_seconds=float(of_function("Timeout")),
        pushed=bool(mapping.consumer_arn),
        reserved=of_function("ReservedConcurrentExecutions"),
        bisects=mapping.bisect,
    )


def _table(template: Template) -> TableCapacity:
    """Return the deduplication table's capacity: the one whose time to live is `expires`."""
    for resource in template.resources("AWS::DynamoDB::Table"):
        properties = resource.properties
        if properties.get("TimeToLiveSpecification", {}).get("AttributeName") != "expires":
            continue
        given = properties.get("ProvisionedThroughput")
        if properties.get("BillingMode") == "PAY_PER_REQUEST" or given is None:
            return TableCapacity()
        writes, reads = float(given["WriteCapacityUnits"]), float(given["ReadCapacityUnits"])
        scaled = {
            each.properties["ScalableDimension"].rpartition(":")[2]: each.properties
            for each in template.resources("AWS::ApplicationAutoScaling::ScalableTarget")
            if resource.logical_id in str(each.properties["ResourceId"])
        }
        return TableCapacity(
            writes,
            reads,
            _most(scaled.get("WriteCapacityUnits"), writes),
            _most(scaled.get("ReadCapacityUnits"), reads),
            _target(template),
        )
    raise TemplateError(f"{template.stack_name}: no deduplication table")


def _most(scaled: Mapping[str, Any] | None, capacity: float) -> float:
    return float(scaled["MaxCapacity"]) if scaled else capacity


def _target(template: Template) -> float:
    for policy in template.resources("AWS::ApplicationAutoScaling::ScalingPolicy"):
        tracking = policy.properties.get("TargetTrackingScalingPolicyConfiguration", {})
        return float(tracking.get("TargetValue", 70)) / 100
    return 1.0
