"""A new stack at which nothing is wrong tells nobody anything: no alarm, and no ticket (S10).

For each alarm of the template: what it does without data, and with the first data that come.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from settings.deployment_alarms import AlarmSettings
from tests.support.alarm_evaluation import breaches, holds, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from settings.deployment import Deployment
    from tests.infra.conftest import Synthesized

#: What the first minutes of a healthy stack have; of all other metrics, zeros.
FIRST = dict.fromkeys(("Accepted", "Count", "IncomingRecords", "Invocations", "Received"), 5.0)
#: An event source mapping takes minutes to begin; records may come before.
MINUTES_TO_BEGIN = 15 * 60


@pytest.fixture(scope="module")
def stack(
    synthesized: Callable[[Deployment], Synthesized], received_deployment: Deployment
) -> Synthesized:
    silence = dict.fromkeys(("github", "hooks", "meetings"), 24)
    settings = {"silence_hours": silence, "emails": ["ops@example.com"]}
    changes = {"alarms": AlarmSettings.model_validate(settings), "web_acl": True}
    return synthesized(received_deployment.model_copy(update=changes))


def alarms(stack: Synthesized) -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """Return each alarm with the names of its metrics by their ids."""
    for alarm in stack.all("AWS::CloudWatch::Alarm").values():
        metrics = {
            query["Id"]: query["MetricStat"]["Metric"]["MetricName"]
            for query in alarm["Metrics"]
            if "MetricStat" in query
        }
        yield alarm["AlarmName"], alarm, metrics


def partly(metrics: Mapping[str, str]) -> Iterator[dict[str, float | None]]:
    """Return the first values, of some metrics only: those of one function come together."""
    values = {key: FIRST.get(name, 0.0) for key, name in metrics.items()}
    all_or_none = [(True,) * len(values), (False,) * len(values)]
    each = itertools.product((True, False), repeat=len(values))
    for which in each if len(values) <= 4 else all_or_none:
        pairs = zip(values.items(), which, strict=True)
        yield {key: value if there else None for (key, value), there in pairs}


def test_the_stack_has_alarms_of_each_kind(stack: Synthesized) -> None:
    names = {name.removeprefix("MozDef-EF-ingest-test-") for name, _, _ in alarms(stack)}
    kinds = {
        "accounts-not-compared", "archiver-stalled", "fetched.events-lag", "github-silent",
        "github-steady", "meetings-all-denied", "queue-github-age", "tickets",
    }  # fmt: skip
    assert kinds <= names


def test_no_alarm_is_on_without_data(stack: Synthesized) -> None:
    for name, alarm, metrics in alarms(stack):
        assert alarm["TreatMissingData"] in {"missing", "notBreaching"}, name
        value = value_of(alarm, dict.fromkeys(metrics))
        assert value is None or not breaches(alarm, value), name


def test_no_alarm_is_on_with_the_first_data_that_come(stack: Synthesized) -> None:
    for name, alarm, metrics in alarms(stack):
        if not alarm.get("AlarmActions"):
            continue  # on while all is well, and tells nobody
        for known in partly(metrics):
            value = value_of(alarm, known)
            if value is not None and breaches(alarm, value):
                # Records before the first call: nothing else may be on, and not for long.
                assert name.endswith("-stalled"), f"{name}: {known}"
                stats = [each["MetricStat"] for each in alarm["Metrics"] if "MetricStat" in each]
                (period,) = {stat["Period"] for stat in stats}
                assert period * alarm["EvaluationPeriods"] >= MINUTES_TO_BEGIN, name


def test_what_is_told_without_data_is_what_had_some_before(stack: Synthesized) -> None:
    """A new alarm is INSUFFICIENT_DATA, and acts on a change of its state alone."""
    for name, alarm, _ in alarms(stack):
        tells = "InsufficientDataActions" in alarm
        assert tells == (alarm["TreatMissingData"] == "missing"), name


def test_nobody_is_woken(stack: Synthesized) -> None:
    every = [name for name, _, _ in alarms(stack)]
    composites = stack.all("AWS::CloudWatch::CompositeAlarm").values()
    assert composites
    for composite in composites:
        assert not holds(composite["AlarmRule"], [], every)
        assert "InsufficientDataActions" not in composite


def test_no_alarm_of_another_form_escapes_these_tests(stack: Synthesized) -> None:
    kinds = {each["Type"] for each in stack.document["Resources"].values()}
    assert {kind for kind in kinds if "Alarm" in kind or "Anomaly" in kind} == {
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::CompositeAlarm",
    }


def test_the_test_event_of_s3_is_no_ticket(stack: Synthesized) -> None:
    """S3 sends one to each destination when notifications are set up, before it has any object.

    The queue is no destination of S3's. The topic in between has its one subscription only after
    the bucket is there, and that takes created objects alone.
    """
    _, bucket = stack.one("AWS::S3::Bucket", "Archive")
    notified = bucket["NotificationConfiguration"]
    assert set(notified) == {"TopicConfigurations"}
    subscription = next(
        each
        for each in stack.document["Resources"].values()
        if each["Type"] == "AWS::SNS::Subscription" and each["Properties"]["Protocol"] == "sqs"
    )
    assert subscription["Properties"]["FilterPolicyScope"] == "MessageBody"
    assert subscription["Properties"]["FilterPolicy"] == {
        "Records": {"eventName": [{"prefix": "ObjectCreated:"}]}
    }
    bucket_id, _ = stack.one("AWS::S3::Bucket", "Archive")
    assert bucket_id in subscription["DependsOn"]
