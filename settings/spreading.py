"""Spreads a stage's sources over services, each of which fits one stack of CloudFormation's."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pipeline.aws.limits import ENVIRONMENT_BYTES
from settings.source.admission import AuthorizerIdentity, authorizer_identity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from settings.source.model import Source

MOST_SOURCES = 30
"""Of one service. A source is 300 characters of the 10,240 that the policies of the fan-out's role
may have."""

MOST_RESOURCES = 500
"""AWS CloudFormation User Guide, quotas: of one stack."""

MOST_POLLED = 15
"""Of these. The poller's environment holds where each API is."""

MOST_AUTHORIZERS = 10
"""Amazon API Gateway Developer Guide, quotas: of one API. Sources share one where requests are told
apart by the same: the token's header, the address, the method."""

#: Counted on templates with a domain, a web ACL and an alarm for each source's silence: of a stack
#: without a source, of a source with its first feed, and of each further feed.
_OTHER_RESOURCES, _OF_A_SOURCE, _OF_A_FEED = 110, 11, 3
_OTHER_VARIABLES = 700
_QUEUE_URL = 60


def queue_variable_bytes(stack_name: str, queues: Collection[str]) -> int:
    """Estimate the fan-out's environment, which holds the URLs of the queues."""
    prefix = len(stack_name) + _QUEUE_URL
    return _OTHER_VARIABLES + sum(prefix + 2 * len(name) for name in queues)


def resources(sources: Mapping[str, Source]) -> int:
    """Estimate the resources of a stack that has these sources."""
    feeds = sum(len(source.poll.feeds) - 1 for source in sources.values() if source.poll)
    further = sum(map(_further_methods, sources.values()))
    return _OTHER_RESOURCES + _OF_A_SOURCE * len(sources) + _OF_A_FEED * feeds + further


def _further_methods(source: Source) -> int:
    """Return what a source's route has beside a method: others for handshakes, a part of a path."""
    asked = {rule.when.method for rule in source.handshake_rules} - {"POST"}
    return len(asked) + bool(source.token and source.token.path)


def authorizers(sources: Mapping[str, Source]) -> int:
    """Return how many authorizers a stack has with these sources."""
    return len({_told_apart_by(one) for one in sources.values() if one.ingest == "direct"})


def _told_apart_by(source: Source) -> AuthorizerIdentity:
    identity = authorizer_identity(source)
    return identity._replace(header=identity.header.title())


def fits(stack_name: str, sources: Mapping[str, Source]) -> bool:
    """Tell whether one service has room for these sources."""
    queues = {queue for name, source in sources.items() for queue in _queues(name, source)}
    polled = sum(source.poll is not None for source in sources.values())
    return (
        len(sources) <= MOST_SOURCES
        and polled <= MOST_POLLED
        and resources(sources) <= MOST_RESOURCES
        and authorizers(sources) <= MOST_AUTHORIZERS
        and queue_variable_bytes(stack_name, queues) <= ENVIRONMENT_BYTES
    )


def spread(stack_name: str, sources: Mapping[str, Source]) -> list[list[str]]:
    """Say which service takes which source; those that share a queue stay together.

    Each has one that senders post to, as long as there are enough of them.

    Parameters
    ----------
    stack_name : str
        Of the service that has all of them. Those of the others are two characters longer.
    """
    services: list[dict[str, Source]] = []
    for group in _sharing(sources):
        for service in services:
            if fits(f"{stack_name}99", service | group):
                service.update(group)
                break
        else:
            services.append(dict(group))
    for service in services:
        if only_polled(service):
            _lend(stack_name, services, service)
    return [sorted(service) for service in services]


def only_polled(sources: Mapping[str, Source]) -> bool:
    """Tell whether nobody posts to any of these: API Gateway has no API without a route."""
    return all(source.poll is not None for source in sources.values())


def _lend(stack_name: str, services: list[dict[str, Source]], needy: dict[str, Source]) -> None:
    """Give a service a source with a route from one that has others, if there is any."""
    for service in services:
        for group in _sharing(service):
            rest = {name: one for name, one in service.items() if name not in group}
            if (
                not only_polled(group)
                and rest
                and not only_polled(rest)
                and fits(f"{stack_name}99", needy | group)
            ):
                for name in group:
                    needy[name] = service.pop(name)
                return


def _sharing(sources: Mapping[str, Source]) -> Iterator[dict[str, Source]]:
    """Give the sources in groups that share a queue, in the order of their names."""
    by_queue: defaultdict[str, set[str]] = defaultdict(set)
    for name, source in sources.items():
        for queue in _queues(name, source):
            by_queue[queue].add(name)
    seen: set[str] = set()
    for name in sorted(sources):
        waiting, group = [name], set[str]()
        while waiting:
            one = waiting.pop()
            if one not in group and one not in seen:
                group.add(one)
                waiting += [
                    other for queue in _queues(one, sources[one]) for other in by_queue[queue]
                ]
        seen |= group
        if group:
            yield {one: sources[one] for one in sorted(group)}


def _queues(name: str, source: Source) -> set[str]:
    return {source.queue.name or name, *source.queue.by_type.values()}
