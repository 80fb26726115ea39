"""A call of AWS, as IAM sees it, and the file in which a run keeps those that it made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

#: In the state directory of a run.
CALLS_FILE, MODEL_FILE = "calls.jsonl", "iam.json"
#: Calls that are kept in memory at the most; what is forgotten is asked, and written, again.
MOST_KEPT = 50_000


@dataclass(frozen=True)
class IamCall:
    """What IAM decides about.

    Parameters
    ----------
    principal : str
        A role's ARN, or a service: `s3.amazonaws.com`.
    resource : str
        Its ARN; `*` for an action that knows no resource, empty where the call does not say.
    context : tuple[tuple[str, str], ...]
        The condition keys that are this call's own, by name.
    why : str
        What it is done for, where no request on the wire says so: another call, a resource.
    """

    principal: str
    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()
    why: str = ""

    @classmethod
    def make(
        cls,
        principal: str,
        action: str,
        resource: str,
        context: Mapping[str, str] | None = None,
        why: str = "",
    ) -> IamCall:
        """Make one; the order of the condition keys does not matter."""
        return cls(principal, action, resource, tuple(sorted((context or {}).items())), why)

    def __str__(self) -> str:
        keys = ", ".join(f"{name}={value}" for name, value in self.context)
        where = self.resource or "a resource that it does not name"
        return f"{self.principal} {self.action} on {where}" + (f" with {keys}" if keys else "")


class CallLog:
    """Writes each call once, as a line, when it is first made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[IamCall] = set(read_calls(path))

    def add(self, calls: Iterable[IamCall]) -> None:
        """Keep those that are new."""
        new = [call for call in calls if call not in self._seen]
        if not new:
            return
        if len(self._seen) > MOST_KEPT:  # keys of objects are new each time
            self._seen.clear()
        self._seen.update(new)
        with self._path.open("a") as file:
            file.writelines(f"{json.dumps([*_fields(call)])}\n" for call in new)


def _fields(call: IamCall) -> tuple[object, ...]:
    return call.principal, call.action, call.resource, call.context, call.why


def read_calls(path: Path) -> list[IamCall]:
    """Return the calls of a run; none where it wrote no file."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text().splitlines():
        principal, action, resource, context, why = json.loads(line)
        keys = tuple((name, value) for name, value in context)
        found.append(IamCall(principal, action, resource, keys, why))
    return found
