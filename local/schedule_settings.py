"""The template's schedules: EventBridge rules that call a function, at a rate or each hour."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.lambdas import find_function
from local.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.template import Template

# Amazon EventBridge User Guide, rate expressions: the unit is singular for 1, and only for 1.
_RATE = re.compile(r"rate\((?:(1) (minute|hour|day)|([2-9]|[1-9][0-9]+) (minute|hour|day)s)\)")
# The one form of a cron expression that a stack here has: at a minute of each hour, in UTC.
_EACH_HOUR = re.compile(r"cron\(([0-9]|[1-5][0-9]) \* \* \* \? \*\)")
_SECONDS = {"minute": 60.0, "hour": 3_600.0, "day": 86_400.0}
_TARGET_KEYS = {"Arn", "Id", "Input", "RetryPolicy"}


@dataclass(frozen=True)
class ScheduleSettings:
    """A function that is called again and again, always with the same event.

    Parameters
    ----------
    name : str
        The rule's logical id, with the target's id where it has several.
    seconds : float
        The time from one call to the next.
    minute : int | None
        The minute of the hour at which it is called; None where only the rate is set.
    """

    name: str
    function: str
    event: Any
    seconds: float
    minute: int | None = None

    @property
    def rule(self) -> str:
        """The rule's logical id, which has no dot in it."""
        return self.name.partition(".")[0]


def read_schedules(template: Template) -> list[ScheduleSettings]:
    """Read the template's rules; a disabled one is left out.

    Raises
    ------
    TemplateError
        For a rule that the local runtime cannot run.
    """
    return [
        schedule
        for rule in template.resources("AWS::Events::Rule")
        for schedule in _read(template, rule.logical_id, template.resolve(rule.properties))
    ]


def _read(template: Template, rule: str, given: Mapping[str, Any]) -> Iterator[ScheduleSettings]:
    if given.get("State", "ENABLED") == "DISABLED":
        return
    if given.get("EventPattern"):
        raise TemplateError(f"{rule}: EventPattern is not supported locally, only schedules")
    seconds, minute = _times(rule, str(given.get("ScheduleExpression", "")))
    targets = given.get("Targets", [])
    for target in targets:
        name = rule if len(targets) == 1 else f"{rule}.{target.get('Id')}"
        yield ScheduleSettings(
            name=name,
            function=_function(template, name, str(target.get("Arn", ""))),
            event=_event(name, target),
            seconds=seconds,
            minute=minute,
        )


def _times(rule: str, expression: str) -> tuple[float, int | None]:
    if each_hour := _EACH_HOUR.fullmatch(expression):
        return _SECONDS["hour"], int(each_hour[1])
    found = _RATE.fullmatch(expression)
    if found is None:
        raise TemplateError(
            f"{rule}: ScheduleExpression {expression!r} is not supported locally, only rates such "
            "as rate(5 minutes), and each hour as cron(15 * * * ? *)"
        )
    one, unit, many, units = found.groups()
    return int(one or many) * _SECONDS[unit or units], None


def _function(template: Template, name: str, arn: str) -> str:
    if ":lambda:" not in arn:
        raise TemplateError(f"{name}: {arn}: only functions are called locally")
    return find_function(template, arn)


def _event(name: str, target: Mapping[str, Any]) -> Any:
    for key in sorted(set(target) - _TARGET_KEYS):
        raise TemplateError(f"{name}: {key} is not supported locally, only a constant Input")
    try:
        return json.loads(target["Input"])
    except KeyError:
        raise TemplateError(f"{name}: has no Input; a schedule's event must be constant") from None
    except (ValueError, TypeError) as error:
        raise TemplateError(f"{name}: Input is not JSON: {error}") from None
