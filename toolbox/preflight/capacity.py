"""How many invocations at once a stack needs, and what is left for those that senders wait for.

A consumer of the stream that is throttled waits, and goes on. An authorizer or a receiver that is
throttled is a 500, and many senders never send again. So what counts is what the consumers leave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.deployment import ON_DEMAND_SHARDS
from toolbox.preflight.finding import Known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings.deployment import Deployment
    from settings.source.model import Source

UNRESERVED = 100
"""AWS Lambda Developer Guide, reserved concurrency: what it keeps for functions without any. An
account that has less keeps all of it (recorded: "below its minimum value of [10]", "[50]")."""

_MORE = "ask for a higher quota of Lambda, concurrent executions (L-B99A9384)"


def consumers(deployment: Deployment) -> dict[str, int]:
    """Return the most invocations at once of each consumer of the stream.

    One for each shard, times the mapping's parallelization factor (AWS Lambda Developer Guide,
    using Lambda with Kinesis). A stream on demand begins with four shards.
    """
    shards = deployment.stream.shards or ON_DEMAND_SHARDS
    return {
        "fan-out": shards * deployment.fan_out.parallelization_factor,
        "archiver": shards,
    }


def unreserved_consumers(deployment: Deployment) -> dict[str, int]:
    """Return those of the consumers that take from what all functions of the account share."""
    settings = {"fan-out": deployment.fan_out, "archiver": deployment.archiver}
    return {
        name: most
        for name, most in consumers(deployment).items()
        if not settings[name].reserved_concurrency
    }


def at_the_door(deployment: Deployment, sources: Mapping[str, Source]) -> dict[str, int | None]:
    """Return the functions that senders wait for, each with what is reserved for it."""
    found = {}
    ways = {source.ingest for source in sources.values()}
    if deployment.door == "http_api":
        ways = {"receiver" if way == "direct" else way for way in ways}
    if "direct" in ways:
        found["authorizer"] = deployment.authorizer.reserved_concurrency
    if "receiver" in ways:
        found["receiver"] = deployment.receiver.reserved_concurrency
    return found


def concurrency(
    deployment: Deployment,
    sources: Mapping[str, Source],
    limit: int,
    unreserved: int,
    beside: int = 0,
) -> tuple[Known, str, str]:
    """Compare what the stack needs with what the account has.

    Parameters
    ----------
    limit : int
        The most invocations at once in the account and region.
    unreserved : int
        What of it no other function has reserved.
    beside : int
        What the consumers of other stacks there take of it at the most.

    Returns
    -------
    tuple[Known, str, str]
        How it is, what is so and what to do.
    """
    door = at_the_door(deployment, sources)
    reading = {
        "fan-out": deployment.fan_out.reserved_concurrency,
        "archiver": deployment.archiver.reserved_concurrency,
    }
    reserved = {name: number for name, number in (door | reading).items() if number}
    left, floor = unreserved - sum(reserved.values()), min(limit, UNRESERVED)
    if reserved and left < floor:
        wanted = ", ".join(f"{name} {number}" for name, number in sorted(reserved.items()))
        said = f"reserved_concurrency ({wanted}) leaves {left} of {limit}; AWS keeps {floor}"
        return Known.FAULT, said, f"take it out, or {_MORE}"
    busy = unreserved_consumers(deployment) | ({"stacks beside it": beside} if beside else {})
    waited_for = [name for name, number in door.items() if not number]
    rest = left - sum(busy.values())
    shares = ", ".join(f"{name} up to {most}" for name, most in sorted(busy.items()))
    said = f"{limit} in the account, {left} for this stack; {shares or 'all reserved'}; "
    said += f"{max(rest, 0)} left for {', '.join(waited_for) or 'others'}"
    if rest < len(waited_for):
        do = f"{_MORE}; until then fewer shards (stream: mode, shards) or parallelization_factor 1"
        return Known.FAULT, said, do
    return Known.GOOD, said, ""
