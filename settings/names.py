"""What keeps names apart in an account and region, of which stacks know nothing of each other.

Names are made of parts with hyphens between them: `<project>-<service>-<stage>` for a stack, and
behind another hyphen what a queue, an alarm, a role or a dashboard of it is called. Parts with
hyphens of their own would let two stacks have one name: service `a-b` in stage `c`, and service `a`
in stage `b-c`, and so would upper and lower case where AWS does not tell them apart. So service
and stage are one word of small letters and digits, and each further word of a project begins with a
capital. A stack that was there before is named by the key `stack`, and is compared with its
neighbours.
"""

from __future__ import annotations

import re
from itertools import permutations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from settings.deployment import Deployment, StageQueue

QUEUE_NAME_LIMIT = 80
"""Amazon SQS Developer Guide, quotas: characters in the name of a queue."""

REDRIVE = "-redrive"
"""How the name ends of the queue for what a reader took ten times."""

DELIVERY = "delivery"
"""The delivery pipeline's stack is `<project>-delivery`, and so begin the names of its roles."""

_PROJECT = r"[A-Za-z][A-Za-z0-9]*(-[A-Z][A-Za-z0-9]*)*"
_WORD = r"[a-z][a-z0-9]*"
_OR_STACK = (
    "so that no two stacks can have one name; "
    "or, where the stack was deployed before, its name as 'stack'"
)


def reserved(project: str) -> Iterator[tuple[str, str]]:
    """Say why no parameter can begin with a project's name.

    AWS Systems Manager API reference, PutParameter, Name: it begins neither with aws nor with ssm,
    in any case.
    """
    if project.lower().startswith(("aws", "ssm")):
        yield (
            "project",
            "Systems Manager refuses parameters that begin with aws or ssm; expected another name",
        )


def ambiguous(project: str, service: str, stage: str) -> Iterator[tuple[str, str]]:
    """Say which parts could give the stack, or something in it, the name of another's."""
    if re.fullmatch(_PROJECT, project) is None:
        yield "project", f"expected words of which each behind a hyphen is capitalized, {_OR_STACK}"
    for key, name in (("service", service), ("stage", stage)):
        if re.fullmatch(_WORD, name) is None:
            yield key, f"{name}: expected small letters and digits without a hyphen, {_OR_STACK}"
    if service == DELIVERY:
        yield "service", f"{DELIVERY} is the delivery pipeline's; expected another name"


def full_queue_names(
    prefix: str, names: Sequence[str], own: Mapping[str, StageQueue]
) -> dict[str, str]:
    """Return the names of queues in SQS, by the names that sources give them.

    Parameters
    ----------
    prefix : str
        The stack's name.
    own : Mapping[str, StageQueue]
        What the stage says of single queues.
    """
    return {
        name: (own[name].full_name if name in own else None) or f"{prefix}-{name}" for name in names
    }


def queue_faults(full_names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Say what is wrong with the names of a stack's queues, each with the key to change."""
    named: dict[str, str] = {}
    for name, full_name in full_names.items():
        key = f"queues.{name}.full_name"
        if name.endswith(REDRIVE) or full_name.endswith(REDRIVE):
            yield key, f"queue {name}: a name that ends in {REDRIVE} is kept for the pair"
        if (length := len(full_name) + len(REDRIVE)) > QUEUE_NAME_LIMIT:
            why = f"queue {full_name}{REDRIVE}: {length} characters, and SQS takes "
            why += f"{QUEUE_NAME_LIMIT}; shorten the queue's name, or project, service or stage"
            yield key, why
        if full_name in named:
            yield key, f"queues {named[full_name]} and {name}: both are {full_name}"
        named[full_name] = name


def overlapping(neighbours: Sequence[Deployment]) -> Iterator[tuple[Deployment, str, str]]:
    """Say of which stacks, in one account and region, one could take a name of the other.

    Yields
    ------
    tuple[Deployment, str, str]
        The one whose settings are to change, the key, and why.
    """
    for one, other in permutations(neighbours, 2):
        mine, others = f"{one.stack_name}-", f"{other.stack_name}-"
        if mine.lower().startswith(others.lower()):
            why = f"{mine[:-1]} begins as {others[:-1]}, a stack beside it, so names of queues, "
            why += "alarms and roles could meet; expected another name"
            yield one, "stack" if one.stack else "service", why
        taken = {queue.full_name for queue in other.queues.values()}
        for name, queue in sorted(one.queues.items()):
            full_name = queue.full_name or ""
            if full_name.startswith(others) or (full_name and full_name in taken):
                why = f"{full_name} is, or can be, a queue of {others[:-1]}, a stack beside it; "
                why += "expected a name that only this stack has"
                yield one, f"queues.{name}.full_name", why
