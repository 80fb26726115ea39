"""Schedules: which are read from a template, and when they call."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from local.changes import Changes
from local.function_host import FunctionUnavailableError
from local.invocation import Invocation
from local.progress import Progress
from local.schedule_settings import ScheduleSettings, read_schedules
from local.schedules import Schedule, ScheduleFailedError, Schedules, next_due, seconds_until
from local.template import Template, TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.mapping.group import Mappings

TARGET = {
    "Arn": {"Fn::GetAtt": ["Function", "Arn"]},
    "Id": "Target0",
    "Input": '{"source":"s","feed":"f"}',
}


def template(**changes: Any) -> Template:
    rule = {"ScheduleExpression": "rate(5 minutes)", "State": "ENABLED", "Targets": [TARGET]}
    return Template(
        {
            "Resources": {
                "Function": {"Type": "AWS::Lambda::Function", "Properties": {}},
                "Queue": {"Type": "AWS::SQS::Queue"},
                "Rule": {"Type": "AWS::Events::Rule", "Properties": {**rule, **changes}},
            }
        },
        "Stack",
        "us-west-2",
    )


def test_a_rule_is_read() -> None:
    event = {"source": "s", "feed": "f"}
    assert read_schedules(template()) == [ScheduleSettings("Rule", "Function", event, 300.0)]


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(2 minutes)", 120),
        ("rate(1 hour)", 3_600),
        ("rate(12 hours)", 43_200),
        ("rate(1 day)", 86_400),
        ("rate(7 days)", 604_800),
    ],
)
def test_each_unit(expression: str, seconds: float) -> None:
    (schedule,) = read_schedules(template(ScheduleExpression=expression))
    assert schedule.seconds == seconds


def test_a_minute_of_each_hour() -> None:
    (schedule,) = read_schedules(template(ScheduleExpression="cron(15 * * * ? *)"))
    assert (schedule.seconds, schedule.minute) == (3_600, 15)


def test_a_disabled_rule_is_left_out() -> None:
    assert read_schedules(template(State="DISABLED", ScheduleExpression="cron(0 0 * * ? *)")) == []


def test_each_target_is_a_schedule() -> None:
    found = read_schedules(template(Targets=[TARGET, {**TARGET, "Id": "Other", "Input": "1"}]))
    assert [(one.name, one.event) for one in found] == [
        ("Rule.Target0", {"source": "s", "feed": "f"}),
        ("Rule.Other", 1),
    ]


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in TARGET.items() if name != key}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ScheduleExpression": "cron(0 12 * * ? *)"}, "Rule: ScheduleExpression 'cron"),
        ({"ScheduleExpression": "cron(60 * * * ? *)"}, "Rule: ScheduleExpression 'cron"),
        ({"ScheduleExpression": "cron(5 * * * * *)"}, "Rule: ScheduleExpression 'cron"),
        ({"ScheduleExpression": "rate(1 minutes)"}, "Rule: ScheduleExpression 'rate"),
        ({"ScheduleExpression": "rate(2 minute)"}, "Rule: ScheduleExpression 'rate"),
        ({"ScheduleExpression": "rate(0 minutes)"}, "Rule: ScheduleExpression 'rate"),
        ({"EventPattern": {"source": ["aws.ec2"]}}, "Rule: EventPattern is not supported locally"),
        (
            {"Targets": [{**TARGET, "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}]},
            "Rule: arn:aws:sqs:.*: only functions are called locally",
        ),
        ({"Targets": [without("Input")]}, "Rule: has no Input"),
        ({"Targets": [{**TARGET, "Input": "{"}]}, "Rule: Input is not JSON"),
        ({"Targets": [{**TARGET, "InputPath": "$.x"}]}, "Rule: InputPath is not supported locally"),
    ],
)
def test_what_cannot_run_here_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        read_schedules(template(**changes))


@pytest.mark.parametrize(
    ("ended", "following"),
    [(100.0, 110.0), (109.9, 110.0), (110.0, 120.0), (135.0, 140.0), (99.0, 110.0)],
)
def test_calls_that_fall_into_a_run_are_left_out(ended: float, following: float) -> None:
    assert next_due(100.0, ended, 10.0) == following


@pytest.mark.parametrize(
    ("minute", "now", "seconds"),
    [
        (15, 7_200.0, 900.0),
        (15, 7_200.0 + 899.5, 0.5),
        (15, 7_200.0 + 900.0, 3_600.0),
        (15, 7_200.0 + 960.0, 3_540.0),
        (0, 7_199.0, 1.0),
    ],
)
def test_the_next_time_that_a_minute_comes(minute: int, now: float, seconds: float) -> None:
    assert seconds_until(minute, now) == seconds


# Of all schedules here.
CHANGES = Changes()


class Function:
    """Keeps when it was called; each call waits until it is let go."""

    def __init__(self, answer: Callable[[], Invocation] = lambda: Invocation(None)) -> None:
        self.answer = answer
        self.events: list[Any] = []
        self.at_once = 0
        self.most_at_once = 0
        self.called = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def __call__(self, event: Any, /) -> Invocation:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.events.append(event)
        self.called.release()
        assert self.go.acquire(timeout=600)
        self.at_once -= 1
        return self.answer()


def started(function: Function, seconds: float = 0.02) -> tuple[Schedules, Schedule]:
    settings = ScheduleSettings("Rule", "Function", {"n": 1}, seconds)
    schedule = Schedule(settings, function, CHANGES)
    schedules = Schedules()
    schedules.start(schedule)
    return schedules, schedule


def wait_for_runs(schedule: Schedule, runs: int) -> None:
    assert CHANGES.wait_for(lambda: schedule.status().runs >= runs, 60)


def test_it_calls_at_the_start_and_never_twice_at_once() -> None:
    function = Function()
    schedules, schedule = started(function)
    for runs in range(1, 4):
        assert function.called.acquire(timeout=600)
        status = schedule.status()
        assert status.running
        assert not status.idle
        assert status.runs == runs - 1
        function.go.release()
        wait_for_runs(schedule, runs)
    function.go.release(1_000)
    schedules.stop()
    assert function.most_at_once == 1
    assert function.events[:3] == [{"n": 1}] * 3


def test_before_its_time_comes_it_does_not_call() -> None:
    function = Function()
    schedules, schedule = started(function, seconds=3_600)
    function.go.release(10)
    wait_for_runs(schedule, 1)
    assert schedule.status().idle
    schedules.stop()
    assert len(function.events) == 1


def test_at_its_minute_of_the_hour_it_calls_again() -> None:
    """The clock stands a moment before the minute for two runs, and at the minute after them."""
    clock = iter([1.0, 899.99, 2.0, 899.99])
    function = Function()
    settings = ScheduleSettings("Rule", "Function", None, 3_600.0, 15)
    schedule = Schedule(settings, function, CHANGES, lambda: next(clock, 900.0))
    schedules = Schedules()
    schedules.start(schedule)
    function.go.release(1_000)
    wait_for_runs(schedule, 3)
    schedules.stop()
    assert len(function.events) == 3, "at the start, and twice at its minute"


def test_an_error_is_counted_and_the_next_run_comes() -> None:
    outcomes = [
        Invocation({"errorType": "PollError", "errorMessage": "no such host"}, "Unhandled"),
        Invocation(None),
    ]
    function = Function(lambda: outcomes.pop(0) if outcomes else Invocation(None))
    schedules, schedule = started(function)
    function.go.release()
    wait_for_runs(schedule, 1)
    first = schedule.status()
    assert (first.runs, first.errors) == (1, 1)
    assert first.last_error == "PollError: no such host"
    function.go.release(1_000)
    wait_for_runs(schedule, 3)
    schedules.check()
    schedules.stop()
    assert schedule.status().errors == 1
    assert schedule.status().last_error == "PollError: no such host"


def test_a_function_that_cannot_be_called_is_an_error_of_the_run() -> None:
    def refuse() -> Invocation:
        raise FunctionUnavailableError("Function: cannot start")

    function = Function(refuse)
    schedules, schedule = started(function)
    function.go.release(1_000)
    wait_for_runs(schedule, 2)
    schedules.stop()
    assert schedule.status().errors >= 2
    assert schedule.status().last_error == "Function: cannot start"


def test_what_the_schedule_does_not_expect_fails_it() -> None:
    def break_down() -> Invocation:
        raise ZeroDivisionError

    function = Function(break_down)
    schedules, schedule = started(function)
    function.go.release()
    schedule.join(60)
    with pytest.raises(ScheduleFailedError, match="Rule: ZeroDivisionError"):
        schedules.check()


class FakeMappings:
    """Mappings that say what they are told to."""

    def __init__(self) -> None:
        self.as_of = 0.0
        self.idle = True

    def check(self) -> None:
        """They always work."""

    def status(self) -> dict[str, Any]:
        return {"idle": self.idle, "as_of": self.as_of, "mappings": {}}


def progress_of(mappings: FakeMappings, schedules: Schedules) -> Progress:
    fake: Mappings = mappings  # type: ignore[assignment]
    return Progress(fake, schedules, Changes())


def test_it_is_not_idle_before_the_first_run_is_over_and_settled() -> None:
    function, mappings = Function(), FakeMappings()
    schedules, schedule = started(function, seconds=3_600)
    progress = progress_of(mappings, schedules)
    assert function.called.acquire(timeout=600)
    mappings.as_of = time.time() + 1_000
    assert not progress.status()["idle"]
    assert not progress.wait_until_idle(0)

    function.go.release()
    wait_for_runs(schedule, 1)
    ended = schedule.status().last_run
    assert ended is not None
    mappings.as_of = ended - 0.001  # they have not looked since the run ended
    assert not progress.status()["idle"]
    mappings.as_of = ended + 1_000
    mappings.idle = False
    assert not progress.status()["idle"]
    mappings.idle = True
    assert progress.wait_until_idle(0)
    status = progress.status()
    json.dumps(status)
    assert status["schedules"]["Rule"]["idle"] is True
    assert status["schedules"]["Rule"]["runs"] == 1
    assert status["schedules"]["Rule"]["last_run"] == ended
    schedules.stop()


def test_without_schedules_only_mappings_count() -> None:
    mappings = FakeMappings()
    mappings.as_of = time.time() + 10
    progress = progress_of(mappings, Schedules())
    assert progress.wait_until_idle(0)
    mappings.idle = False
    assert not progress.wait_until_idle(0)


def test_another_template_leaves_the_schedules_that_are_the_same_as_they_run() -> None:
    function = Function()
    function.go.release(1_000)
    schedules, kept = started(function, seconds=3_600)
    wait_for_runs(kept, 1)
    other = ScheduleSettings("Other", "Function", {"n": 2}, 3_600)
    made: list[str] = []

    def make(settings: ScheduleSettings) -> Schedule:
        made.append(settings.name)
        return Schedule(settings, function, CHANGES)

    schedules.update([kept.settings, other], make)
    assert made == ["Other"]
    assert CHANGES.wait_for(lambda: schedules.statuses()["Other"].runs == 1, 60)
    assert kept.status().runs == 1
    schedules.update([other], make)
    assert list(schedules.statuses()) == ["Other"]
    kept.join(60)  # it has been stopped, hours before its time
    schedules.stop()
    assert made == ["Other"]
    assert len(function.events) == 2
