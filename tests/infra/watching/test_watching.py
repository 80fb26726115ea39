"""Alarms, dashboards, saved queries and traces of the synthesized stack."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from infra.application.access_log import ACCESS_LOG, FULL_ACCESS_LOG
from infra.watching.construct import ACCESS_LOG_FILTERS
from pipeline.event.outcomes import Verdict
from pipeline.polling.report import Report
from pipeline.reconciliation.report import Reconciliation
from pipeline.runtime import metrics
from settings.deployment import Deployment, DeploymentError
from settings.deployment_alarms import AlarmSettings
from tests.infra.linting import lint
from tests.infra.policies import granted, statements
from tests.support.alarm_evaluation import holds
from tests.support.watched import Named, dashboards, in_alarms, in_dashboards, of_type, text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.infra.conftest import Synthesized

BY_DOOR = """\
version: 1
title: A source that the receiver takes
ingest: receiver
authentication: {type: token}
"""
POLLED = """\
version: 1
title: A source that is polled
ingest: poll
poll:
  every_minutes: 10
  base_url: https://api.example.com
  credential: {type: header}
  feeds:
    logs: {path: /logs, events: ., pagination: {type: link}}
"""
PUSHED = """\
version: 1
title: One of many, with the most alarms that a source can have
authentication: {type: hmac, header: X-Signature, signed: "{body}"}
headers: {keep: [X-Signature]}
"""

LAMBDA, STREAM, QUEUE, TABLE = "FunctionName", "StreamName", "QueueName", "TableName"
API, ROUTE = ("ApiName", "Stage"), ("ApiName", "Method", "Resource", "Stage")
AWS_METRICS: dict[tuple[str, str], set[tuple[str, ...]]] = {
    # AWS Lambda Developer Guide, types of metrics for Lambda functions.
    ("AWS/Lambda", "Invocations"): {(LAMBDA,)},
    ("AWS/Lambda", "Errors"): {(LAMBDA,)},
    ("AWS/Lambda", "Throttles"): {(LAMBDA,)},
    ("AWS/Lambda", "Duration"): {(LAMBDA,)},
    ("AWS/Lambda", "ConcurrentExecutions"): {(LAMBDA,)},
    ("AWS/Lambda", "IteratorAge"): {(LAMBDA,)},
    # Amazon Kinesis Data Streams Developer Guide, basic stream-level metrics.
    ("AWS/Kinesis", "IncomingRecords"): {(STREAM,)},
    ("AWS/Kinesis", "IncomingBytes"): {(STREAM,)},
    ("AWS/Kinesis", "WriteProvisionedThroughputExceeded"): {(STREAM,)},
    ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds"): {(STREAM,)},
    # Amazon SQS Developer Guide, available CloudWatch metrics.
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {(QUEUE,)},
    ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible"): {(QUEUE,)},
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): {(QUEUE,)},
    # Amazon DynamoDB Developer Guide, metrics and dimensions.
    ("AWS/DynamoDB", "ReadThrottleEvents"): {(TABLE,)},
    ("AWS/DynamoDB", "WriteThrottleEvents"): {(TABLE,)},
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits"): {(TABLE,)},
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits"): {(TABLE,)},
    # API Gateway Developer Guide, dimensions and metrics; by route with detailed metrics on.
    ("AWS/ApiGateway", "Count"): {API, ROUTE},
    ("AWS/ApiGateway", "4XXError"): {API, ROUTE},
    ("AWS/ApiGateway", "5XXError"): {API, ROUTE},
    ("AWS/ApiGateway", "Latency"): {API, ROUTE},
    ("AWS/ApiGateway", "IntegrationLatency"): {API, ROUTE},
}
"""What exists, by namespace and name, and by which dimensions."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched")
    for name, settings in {"door": BY_DOOR, "pulled": POLLED}.items():
        (folder / name).mkdir()
        (folder / name / "source.yaml").write_text(settings)
    return folder


@pytest.fixture(scope="module")
def every_way(sources: Path, synthesized: Callable[[Deployment], Synthesized]) -> Synthesized:
    """A stack with a source of each way in, and settings that are not the default."""
    settings = {
        "emails": ("soc@example.com", "ops@example.com"),
        "silence_hours": {"github": 24, "door": 168},
        "fan_out_age_minutes": 7,
    }
    return synthesized(
        Deployment(
            stage="test",
            service="ingest",
            sources=("github", "generic", "door", "pulled"),
            source_directory=sources,
            alarms=AlarmSettings.model_validate(settings),
        )
    )


def alarms(stack: Synthesized) -> dict[str, dict[str, Any]]:
    prefix = "MozDef-EF-ingest-test-"
    return {
        properties["AlarmName"].removeprefix(prefix): properties
        for properties in stack.all("AWS::CloudWatch::Alarm").values()
    }


EXPECTED = {
    "server-errors",
    "throttled-requests",
    "denied-requests",
    "accounts-do-not-match",
    "accounts-not-compared",
    "stream-throttled",
    "fan-out-age",
    "fan-out-stalled",
    "archiver-age",
    "archiver-stalled",
    "authorizer-errors",
    "fan-out-errors",
    "archiver-errors",
    "reconciler-errors",
    "replay-worker-errors",
    "functions-throttled",
    "tickets",
    "ticket-age",
    "redrive",
    "tables-throttled",
}


def test_the_alarms_of_a_stack(stack: Synthesized) -> None:
    of_parts = {
        *(f"{name}-all-rejected" for name in ("alarms", "generic", "github")),
        # Of these sources, github alone takes what anybody sends as far as the fan-out.
        "github-bad-signatures",
        "github-steady",
        *(f"queue-{name}-age" for name in ("generic", "github", "urgent")),
    }
    assert set(alarms(stack)) == EXPECTED | of_parts


def test_other_ways_in_have_alarms_of_their_own(every_way: Synthesized) -> None:
    more = {
        "receiver-errors",
        "poller-errors",
        "door-all-denied",
        "door-steady",
        "github-silent",
        "door-silent",
        "pulled.logs-lag",
        "pulled.logs-poll-errors",
    }
    assert more <= set(alarms(every_way))


def test_settings_set_thresholds(every_way: Synthesized, stack: Synthesized) -> None:
    assert alarms(stack)["fan-out-age"]["Threshold"] == 5 * 60_000
    assert alarms(every_way)["fan-out-age"]["Threshold"] == 7 * 60_000


def test_a_silent_source_is_noticed_when_there_is_no_data(every_way: Synthesized) -> None:
    for name, hours in {"github-silent": 24, "door-silent": 168}.items():
        alarm = alarms(every_way)[name]
        assert alarm["TreatMissingData"] == "missing"
        assert alarm["InsufficientDataActions"] == alarm["AlarmActions"]
        assert alarm["EvaluationPeriods"] == hours
        assert alarm["ComparisonOperator"] == "LessThanThreshold"
        assert {q["MetricStat"]["Period"] for q in alarm["Metrics"] if "MetricStat" in q} == {3600}


def test_accounts_that_do_not_match_are_an_alarm_whoever_lacks_a_record(
    stack: Synthesized,
) -> None:
    alarm = alarms(stack)["accounts-do-not-match"]
    *metrics, value = alarm["Metrics"]
    assert {
        dimension["Value"]
        for each in metrics
        for dimension in each["MetricStat"]["Metric"]["Dimensions"]
        if dimension["Name"] == "consumer"
    } == {"fan-out", "archiver"}
    assert {each["MetricStat"]["Metric"]["MetricName"] for each in metrics} == {"UnmatchedRecords"}
    assert value["Expression"] == "FILL(fan_out, 0) + FILL(archiver, 0)"
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
    assert "lost some" in alarm["AlarmDescription"]
    _, whole = stack.one("AWS::CloudWatch::CompositeAlarm")
    assert "accounts-do-not-match" in whole["AlarmRule"]


def test_accounts_that_nobody_compared_are_an_alarm(stack: Synthesized) -> None:
    alarm = alarms(stack)["accounts-not-compared"]
    assert alarm["TreatMissingData"] == "missing"
    assert alarm["InsufficientDataActions"] == alarm["AlarmActions"]
    names = [each.get("MetricStat", {}).get("Metric", {}).get("MetricName")
             for each in alarm["Metrics"]]  # fmt: skip
    assert names == ["ShardsNotCompared", "UnreadableLines", None]
    # Without FILL: with it, a reconciler that writes nothing would count as zero.
    assert alarm["Metrics"][-1]["Expression"] == "shards + lines"
    # The next call has another hour, so one that failed is not made up for.
    assert alarms(stack)["reconciler-errors"]["EvaluationPeriods"] == 1
    assert alarms(stack)["archiver-errors"]["EvaluationPeriods"] == 3


def test_no_alarm_looks_back_further_than_cloudwatch_does(every_way: Synthesized) -> None:
    for name, alarm in alarms(every_way).items():
        periods = {q["MetricStat"]["Period"] for q in alarm["Metrics"] if "MetricStat" in q}
        (period,) = periods
        limit = 604_800 if period >= 3_600 else 86_400
        assert period * alarm["EvaluationPeriods"] <= limit, name


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"silence_hours": {"github": 169}}, "less than or equal to 168"),
        ({"silence_hours": {"nosuch": 24}}, "list it under 'sources', too"),
        ({"emails": ["not an address"]}, "should match pattern"),
        ({"ticket_age_hours": 400}, "less than or equal to 335"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Deployment.model_validate(
            {"stage": "test", "service": "a", "sources": ["github"], "alarms": settings}
        )


def test_every_alarm_tells_the_topic(every_way: Synthesized) -> None:
    topic = {"Ref": every_way.one("AWS::SNS::Topic", "Alarms")[0]}
    for name, alarm in alarms(every_way).items():
        if name.endswith("-steady"):  # it is on while all is well
            assert not alarm.keys() & {"AlarmActions", "OKActions"}, name
        else:
            assert alarm["AlarmActions"] == alarm["OKActions"] == [topic], name
    _, whole = every_way.one("AWS::CloudWatch::CompositeAlarm")
    assert whole["AlarmActions"] == [topic]


def test_events_at_risk_is_over_alarms_that_exist(every_way: Synthesized) -> None:
    _, whole = every_way.one("AWS::CloudWatch::CompositeAlarm")
    assert whole["AlarmName"] == "MozDef-EF-ingest-test-events-at-risk"
    named = re.findall(r'ALARM\("MozDef-EF-ingest-test-([^"]+)"\)', whole["AlarmRule"])
    assert set(named) < set(alarms(every_way))
    at_risk = {"server-errors", "fan-out-age", "ticket-age", "queue-github-age", "redrive"}
    assert at_risk <= set(named)
    assert len(whole["AlarmRule"]) <= 10_240
    prefix = "MozDef-EF-ingest-test-"
    assert all(holds(whole["AlarmRule"], [f"{prefix}{name}"]) for name in at_risk)
    # By itself, or with one that has nothing to do with it; test_what_wakes.py has the others.
    harmless = ["denied-requests", "github-silent", "replay-worker-errors", "door-all-denied"]
    assert not holds(whole["AlarmRule"], [f"{prefix}{name}" for name in harmless])


def test_the_topic_is_encrypted_and_takes_messages_of_this_stacks_alarms_over_tls(
    every_way: Synthesized,
) -> None:
    topic_id, topic = every_way.one("AWS::SNS::Topic", "Alarms")
    key_id, key = every_way.one("AWS::KMS::Key", "Watching")
    assert topic["KmsMasterKeyId"] == {"Fn::GetAtt": [key_id, "Arn"]}
    assert key["EnableKeyRotation"] is True
    _, policy = every_way.one("AWS::SNS::TopicPolicy", "Alarms")
    every = list(statements(policy["PolicyDocument"]))
    denied = [statement for statement in every if statement["Effect"] == "Deny"]
    (publish,) = (statement for statement in every if statement["Effect"] == "Allow")
    assert publish["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert publish["Action"] == ["sns:Publish"]
    assert publish["Resource"] == [{"Ref": topic_id}]
    source = text(publish["Condition"]["ArnLike"]["aws:SourceArn"])
    assert source.endswith(":alarm:MozDef-EF-ingest-test-*")
    assert {"Bool": {"aws:SecureTransport": "false"}} in [each["Condition"] for each in denied]
    use = [s for s in statements(key["KeyPolicy"]) if "Service" in s["Principal"]]
    assert [s["Principal"]["Service"] for s in use] == ["cloudwatch.amazonaws.com"]
    assert set(use[0]["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}


def test_addresses_are_subscribed_and_none_is_needed(
    every_way: Synthesized, stack: Synthesized
) -> None:
    def subscribed(one: Synthesized) -> set[tuple[str, str]]:
        return {
            (each["Protocol"], each["Endpoint"])
            for each in one.all("AWS::SNS::Subscription").values()
            if each["Protocol"] != "sqs"  # that of the tickets' topic
        }

    assert subscribed(every_way) == {("email", "soc@example.com"), ("email", "ops@example.com")}
    assert not subscribed(stack)


def test_each_metric_of_aws_exists_with_these_dimensions(every_way: Synthesized) -> None:
    named = in_alarms(every_way.document) | in_dashboards(every_way.document)
    of_aws = {each for each in named if each.namespace.startswith("AWS/")}
    assert {(each.namespace, each.name) for each in of_aws} == set(AWS_METRICS)
    for each in of_aws:
        assert tuple(sorted(each.dimensions)) in AWS_METRICS[each.namespace, each.name], each
    rest = {each.namespace for each in named - of_aws}
    assert rest == {"MozDef-EF", "MozDef-EF-ingest-test"}


def test_metrics_of_routes_are_on(every_way: Synthesized) -> None:
    _, stage = every_way.one("AWS::ApiGateway::Stage")
    assert stage["MethodSettings"][0]["MetricsEnabled"] is True
    assert stage["TracingEnabled"] is True


def test_filters_of_the_access_log_make_the_metrics_that_are_named(every_way: Synthesized) -> None:
    named = in_alarms(every_way.document) | in_dashboards(every_way.document)
    made = set()
    for properties in of_type(every_way.document, "AWS::Logs::MetricFilter"):
        (transformation,) = properties["MetricTransformations"]
        assert "Dimensions" not in transformation, "a default value is for none alone"
        made.add((transformation["MetricNamespace"], transformation["MetricName"]))
        fields = re.findall(r"\$\.(\w+)", properties["FilterPattern"])
        assert fields
        assert set(fields) <= set(ACCESS_LOG) <= set(FULL_ACCESS_LOG)
    wanted = {(e.namespace, e.name) for e in named if e.namespace == "MozDef-EF-ingest-test"}
    assert made == wanted
    assert {name for _, name in made} == set(ACCESS_LOG_FILTERS)


def test_metrics_of_receiver_poller_and_reconciler_are_those_that_they_write(
    every_way: Synthesized, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other ones are proved by tests/e2e/test_metrics_exist.py, in a running pipeline."""
    monkeypatch.setenv("STAGE", "test")
    for verdict in Verdict:
        metrics.emit_answer("door", verdict, "bad_signature")
    metrics.emit_poll("pulled", "logs", Report("pulled", "logs").counts, 1.5)
    report = Reconciliation(datetime(2026, 11, 23, 20, tzinfo=UTC))
    metrics.emit_reconciliation(0, report.unmatched, shards_not_compared=0, unreadable=0)
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    emitted = {
        Named("MozDef-EF", metric["Name"], frozenset(names), ())
        for line in written
        for block in line["_aws"]["CloudWatchMetrics"]
        for names in block["Dimensions"]
        for metric in block["Metrics"]
    }
    common = {"service": "ingest", "stage": "test"}
    assert all({key: line[key] for key in common} == common for line in written)
    names = {
        *metrics.ANSWER_NAMES.values(),
        "DeniedByReason",
        "PollLagSeconds",
        "PollErrors",
        "PollEvents",
        "RecordsCompared",
        "ShardsNotCompared",
        "UnmatchedRecords",
        "UnreadableLines",
    }
    named = in_alarms(every_way.document) | in_dashboards(every_way.document)
    wanted = {each for each in named if each.name in names}
    assert {each.name for each in wanted} == names
    for each in wanted:
        assert Named(each.namespace, each.name, each.dimensions, ()) in emitted, each
        values = dict(each.values)
        assert {key: values[key] for key in common} == common


def test_dashboards_are_for_the_operator_and_for_the_security_team(every_way: Synthesized) -> None:
    found = dashboards(every_way.document)
    assert set(found) == {"MozDef-EF-ingest-test-operator", "MozDef-EF-ingest-test-security"}
    for body in found.values():
        places = [(w["x"], w["y"], w["width"], w["height"]) for w in body["widgets"]]
        covered: set[tuple[int, int]] = set()
        for x, y, width, height in places:
            cells = {(x + i, y + j) for i in range(width) for j in range(height)}
            assert not cells & covered
            assert x + width <= 24
            covered |= cells
    (states,) = [
        widget
        for widget in found["MozDef-EF-ingest-test-operator"]["widgets"]
        if widget["type"] == "alarm"
    ]
    telling = [name for name in alarms(every_way) if not name.endswith("-steady")]
    assert len(states["properties"]["alarms"]) == len(telling) + 1


def test_saved_queries_read_logs_of_this_stack(every_way: Synthesized) -> None:
    groups = {f"<{name}>" for name in every_way.all("AWS::Logs::LogGroup")}
    found = list(of_type(every_way.document, "AWS::Logs::QueryDefinition"))
    assert len(found) == 6
    for query in found:
        assert query["Name"].startswith("MozDef-EF-ingest-test/")
        assert {text(group) for group in query["LogGroupNames"]} <= groups
        assert len(query["QueryString"]) <= 10_000
    (everywhere,) = [query for query in found if "everywhere" in query["Name"]]
    assert len(everywhere["LogGroupNames"]) == 1 + len(every_way.all("AWS::Lambda::Function"))


def test_functions_are_traced_and_may_do_no_more_for_it(every_way: Synthesized) -> None:
    functions = every_way.all("AWS::Lambda::Function")
    assert len(functions) == 7
    for function in functions.values():
        assert function["TracingConfig"] == {"Mode": "Active"}
        role = every_way.all("AWS::IAM::Role")[function["Role"]["Fn::GetAtt"][0]]
        everywhere = {action for action, resource in granted(role) if resource == "*"}
        assert everywhere == {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


def test_the_checks_find_nothing(every_way: Synthesized) -> None:
    report = json.loads((every_way.folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []
    assert [str(match) for match in lint(every_way.template)] == []


def test_fifty_sources_fit(
    synthesized: Callable[[Deployment], Synthesized], tmp_path: Path
) -> None:
    names = [f"source-{number:02}" for number in range(50)]
    for number, name in enumerate(names):
        (tmp_path / name).mkdir()
        queue = f"queue: {{name: queue-{number % 8}}}\n"
        (tmp_path / name / "source.yaml").write_text(PUSHED + queue)
    many = synthesized(
        Deployment(
            stage="test",
            service="ingest",
            sources=tuple(names),
            source_directory=tmp_path,
            alarms=AlarmSettings.model_validate({"silence_hours": dict.fromkeys(names, 24)}),
        )
    )
    assert len(many.document["Resources"]) <= 500
    assert many.template.stat().st_size <= 1_000_000
    # CloudWatch API reference, dashboard body structure: 500 widgets.
    for properties in of_type(many.document, "AWS::CloudWatch::Dashboard"):
        body = text(properties["DashboardBody"])
        assert len(json.loads(body)["widgets"]) <= 500
        assert len(body) <= 40_000
    for rule in of_type(many.document, "AWS::CloudWatch::CompositeAlarm"):
        assert rule["AlarmRule"].count("ALARM(") <= 100
        assert len(rule["AlarmRule"]) <= 10_240


def test_what_cloudwatch_would_refuse_is_refused_here() -> None:
    from infra.watching.alarm import Alarm
    from infra.watching.watched_metrics import HOUR, MINUTE, Metric

    metric = {"m": Metric("N", "M", {})}
    with pytest.raises(DeploymentError, match="looks back 86400 s at most"):
        Alarm("a", "", metric, 1, period=MINUTE, periods=1_441).properties("s")
    with pytest.raises(DeploymentError, match="looks back 604800 s at most"):
        Alarm("a", "", metric, 1, period=HOUR, periods=169).properties("s")
    with pytest.raises(DeploymentError, match="11 metrics"):
        Alarm("a", "", {f"m{n}": metric["m"] for n in range(11)}, 1).properties("s")
    with pytest.raises(DeploymentError, match="longer than 255"):
        Alarm("a" * 255, "", metric, 1).properties("s")
