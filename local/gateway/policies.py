"""Evaluates the policy that an authorizer returns."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from pipeline.errors import PipelineError

PolicyVerdict: TypeAlias = Literal["allow", "explicit deny", "implicit deny"]

_ACTION = "execute-api:Invoke"
_LONGEST_RESOURCE = 512


class PolicyError(PipelineError):
    """An authorizer returned what is no policy."""


@lru_cache(maxsize=1024)
def _wildcards(pattern: str) -> re.Pattern[str]:
    escaped = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(escaped, re.DOTALL)


def _list(value: Any, what: str) -> list[str]:
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, str) for item in items):
        raise PolicyError(f"{what} is no string and no list of strings")
    return items


def _matches(statement: dict[str, Any], method_arn: str) -> bool:
    for unsupported in ("NotAction", "NotResource", "Condition"):
        if unsupported in statement:
            raise PolicyError(f"a statement with {unsupported} is not supported locally")
    resources = _list(statement.get("Resource"), "Resource")
    if any(len(resource) > _LONGEST_RESOURCE for resource in resources):
        raise PolicyError(f"a Resource is longer than {_LONGEST_RESOURCE} characters")
    actions = _list(statement.get("Action"), "Action")
    return any(_wildcards(item.lower()).fullmatch(_ACTION.lower()) for item in actions) and any(
        _wildcards(item).fullmatch(method_arn) for item in resources
    )


def evaluate(policy: Any, method_arn: str) -> PolicyVerdict:
    """Tell what a policy says about a method.

    Raises
    ------
    PolicyError
        When it is no policy document.
    """
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list):
        raise PolicyError("policyDocument has no Statement")
    allowed = False
    for statement in statements:
        effect = statement.get("Effect") if isinstance(statement, dict) else None
        if effect not in {"Allow", "Deny"}:
            raise PolicyError("Effect is neither Allow nor Deny")
        if _matches(statement, method_arn):
            if effect == "Deny":
                return "explicit deny"
            allowed = True
    return "allow" if allowed else "implicit deny"
