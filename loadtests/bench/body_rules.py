"""What each kind of rule on a body costs, beside parsing the same body: a real event of GitHub."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import orjson

from loadtests.bench.measuring import Contender, WorkError, compare
from pipeline.event.body_rules import BodyRules
from pipeline.event.index_limits import fitting
from toolbox.traffic.examples import real_payloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.event.rule_states import RulePlan

#: Of the examples, one with an object of ninety fields in it.
_KIND = "check_run"
_TIMES = 500
_PLANS: dict[str, RulePlan] = {
    "a rule that meets nothing": ((("action", "name"), "drop", "", ""),),
    "stringify, every object at the top": ((("*",), "stringify", "", ""),),
    "stringify, the body": (((), "stringify", "", ""),),
    "rename, an object at the top": ((("sender",), "rename", "who", "objects"),),
    "drop, an object at the top": ((("repository",), "drop", "", ""),),
    "drop, by a glob among ninety fields": ((("repository", "*_url"), "drop", "", ""),),
    "drop, at any depth": ((("**", "node_id"), "drop", "", ""),),
}


def run(rounds: int) -> dict[str, dict[str, float]]:
    """Measure each kind of rule.

    Returns
    -------
    dict[str, dict[str, float]]
        Microseconds of CPU for an event, by kind.
    """
    body = next(body for kind, body in real_payloads() if kind == _KIND)
    text = orjson.dumps(body)
    work: dict[str, Callable[[], bytes]] = {
        "no rule: names and depth": partial(fitting, text, body, strict=True)
    }
    for name, plan in _PLANS.items():
        work[name] = partial(BodyRules(plan).applied, text, body)
    for name, apply in work.items():
        changed = apply() != text
        if changed == name.startswith(("no ", "a rule")):
            raise WorkError(f"{name}: the body {'is' if changed else 'is not'} changed")
    contenders = {name: Contender(partial(_repeat, apply)) for name, apply in work.items()}
    contenders["for comparison: parsing it"] = Contender(
        partial(_repeat, partial(orjson.loads, text))
    )
    found = compare(contenders, rounds)
    return {"body_rules_us": {name: round(one.median, 1) for name, one in found.items()}}


def _repeat(work: Callable[[], object]) -> int:
    for _ in range(_TIMES):
        work()
    return _TIMES
