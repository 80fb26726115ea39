"""What a run's calls say of a stack's policies: what is denied, and what nobody needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.iam.simulator import decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from local.iam.calls import IamCall
    from local.iam.model import IamModel
    from local.iam.policies import Permission
    from local.iam.simulator import IamVerdict


@dataclass(frozen=True)
class Review:
    """The verdicts on the calls of a run, and on what AWS's services do by themselves."""

    model: IamModel
    verdicts: tuple[IamVerdict, ...]

    def denied(self) -> list[str]:
        """Say of each call that is not allowed which statement is missing, or which refuses it."""
        return [
            explanation(self.model, verdict) for verdict in self.verdicts if not verdict.allowed
        ]

    def unused(self) -> list[Permission]:
        """Return what is allowed and was never called for.

        What a key leaves to the account's own policies (its root) counts as never called for: it
        allows nobody anything by itself.
        """
        used = {number for verdict in self.verdicts if verdict.allowed for number in verdict.allow}
        return [
            permission
            for number, permission in enumerate(self.model.permissions)
            if permission.allows and (number not in used or permission.to_root)
        ]


def review_all(runs: Sequence[tuple[IamModel, Iterable[IamCall]]]) -> list[Review]:
    """Judge the calls of runs, and what AWS's services do by themselves in the stack of each.

    Raises
    ------
    SimulatorError
        When the simulator is not installed, or fails.
    """
    asked = [(model, list(dict.fromkeys([*model.standing, *calls]))) for model, calls in runs]
    verdicts = decide(asked) if asked else []
    return [Review(model, tuple(found)) for (model, _), found in zip(asked, verdicts, strict=True)]


def explanation(model: IamModel, verdict: IamVerdict) -> str:
    """Say why a call is not allowed, and what would allow it."""
    call = verdict.call
    who = model.names.get(call.principal, call.principal)
    what = f"{who} may not {call.action} on {call.resource or 'what it does not name'}"
    what += f" ({call.why})" if call.why else ""
    if verdict.error:
        return f"{what}: cannot be judged: {verdict.error}"
    if verdict.deny:
        by = "; ".join(str(model.permissions[number]) for number in verdict.deny)
        return f"{what}: refused by {by}"
    if unread := model.unread.get(call.principal):
        return f"{what}: it is not in the template, and {', '.join(unread)} is not read here"
    return f"{what}: no statement allows it; missing in {_where(model, call)}: {_statement(call)}"


def _where(model: IamModel, call: IamCall) -> str:
    own = call.principal in model.names
    if own and call.action == "sts:AssumeRole":
        taken = model.names.get(call.resource, call.resource)
        return f"the policies of {model.names[call.principal]}, or who may take {taken}"
    if own and not call.action.startswith("kms:"):
        return f"the policies of {model.names[call.principal]}"
    of_resource = f"the policy of {model.names.get(call.resource, call.resource)}"
    return f"{of_resource}, or those of {model.names[call.principal]}" if own else of_resource


def _statement(call: IamCall) -> str:
    service = call.principal.endswith(".com")
    found: dict[str, Any] = {"Effect": "Allow"}
    if service or call.action.startswith("kms:"):
        found["Principal"] = {"Service" if service else "AWS": call.principal}
    found |= {"Action": call.action, "Resource": call.resource}
    if call.context:
        found["Condition"] = {"StringEquals": dict(call.context)}
    return json.dumps(found)
