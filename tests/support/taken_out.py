"""Takes permissions out of a stack's policies, one at a time, and asks what is then denied."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from local.iam.review import explanation
from local.iam.simulator import decide

if TYPE_CHECKING:
    from local.iam.review import Review


def not_missed(review: Review) -> tuple[int, list[str]]:
    """Take out each permission without which a call would be denied.

    Returns
    -------
    tuple[int, list[str]]
        How many were taken out, and those of which the next review would not say what is missing.
    """
    permissions = review.model.permissions
    roots = {number for number, each in enumerate(permissions) if each.to_root}
    questions = []
    for number, permission in enumerate(permissions):
        needs = (
            verdict.call
            for verdict in review.verdicts
            if verdict.allowed and set(verdict.allow) - roots == {number}
        )
        if permission.allows and (call := next(needs, None)):
            rest = permissions[:number] + permissions[number + 1 :]
            questions.append((replace(review.model, permissions=rest), [call]))
    faults = []
    for (model, _), (verdict,) in zip(questions, decide(questions), strict=True):
        who = model.names.get(verdict.call.principal, verdict.call.principal)
        said = explanation(model, verdict)
        right = said.startswith(f"{who} may not {verdict.call.action} on {verdict.call.resource}")
        if verdict.allowed or not right or f'"Action": "{verdict.call.action}"' not in said:
            faults.append(said)
    return len(questions), faults
