"""`status` of a stack: CloudFormation, Lambda, CloudWatch and SQS of the emulator."""

from __future__ import annotations

import io
import json
import time
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from local.emulator import Emulator
from local.emulator_access import SERVICES
from local.endpoints import Endpoints
from pipeline.polling.standing import FeedStanding
from toolbox.watching.cloudwatch import CloudWatch, Series
from toolbox.watching.local_watcher import LocalWatcher
from toolbox.watching.stack import StackWatcher
from toolbox.watching.status import WatchError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STACK = "MozDef-EF-ingest-prod"
PREFIX = "arn:aws:iam::000000000000:role/r"
COMMON = {"service": "ingest", "stage": "prod"}
ARCHIVED = 42_000.0
# One moment for what is written and for who looks: the run may take as long as it likes.
NOW = time.time()


class Account:
    """The emulator with a stack that has what `status` asks for."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        sqs = self.client("sqs")
        self.urls = {
            name: sqs.create_queue(QueueName=f"{STACK}-{name}")["QueueUrl"]
            for name in ("github", "github-redrive", "DeadLetters")
        }
        self._function("fan-out")
        self._stack()
        self._checkpoints()

    def client(self, service: str) -> Any:
        return self.emulator.client(service)

    def watcher(self) -> StackWatcher:
        return StackWatcher(self.client, STACK)

    def put(
        self, namespace: str, name: str, value: float, age: float = 60.0, **dimensions: str
    ) -> None:
        self.client("cloudwatch").put_metric_data(
            Namespace=namespace,
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
                    "Timestamp": datetime.fromtimestamp(NOW - age, UTC),
                    "Value": value,
                }
            ],
        )

    def _function(self, name: str) -> None:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("f.py", "def handler(event, context): ...\n")
        variables = {
            "POWERTOOLS_SERVICE_NAME": "ingest",
            "POWERTOOLS_METRICS_NAMESPACE": "MozDef-EF",
            "STAGE": "prod",
        }
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=PREFIX,
            Handler="f.handler",
            Code={"ZipFile": code.getvalue()},
            Environment={"Variables": variables},
        )

    def _checkpoints(self) -> None:
        dynamodb = self.client("dynamodb")
        dynamodb.create_table(
            TableName="checkpoints",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        state = FeedStanding("failed", "GET /x: status 400").write()
        updated = {"N": str(int(NOW * 1000) - 60_000)}
        row = {"pk": {"S": "pulled#logs"}, "state": {"S": state}, "updated": updated}
        dynamodb.put_item(TableName="checkpoints", Item=row)

    def _stack(self) -> None:
        sources = {
            "github": {"queues": {"github": self.urls["github"]}, "ingest": "direct"},
            "pulled": {
                "queues": {"github": self.urls["github"]},
                "ingest": "poll",
                "feeds": ["logs", "more"],
            },
        }
        outputs = {
            "StreamName": "s",
            "ArchiveBucketName": "b",
            "DedupeTableName": "t",
            "DeadLetterQueueUrl": self.urls["DeadLetters"],
            "FanOutFunctionName": "fan-out",
            "ArchiverFunctionName": "archiver",
            "CheckpointTableName": "checkpoints",
            "Sources": json.dumps(sources),
        }
        template = {
            "Resources": {"Any": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "any"}}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    services = (*SERVICES, "lambda", "monitoring")
    folder = tmp_path_factory.mktemp("emulator")
    with Emulator(folder, region="us-west-2", services=services) as emulator:
        yield Account(emulator)


def test_a_stack_that_nothing_has_come_to_yet(account: Account) -> None:
    status = account.watcher().look(NOW, 5)
    assert [each.name for each in status.sources] == ["github", "pulled"]
    assert all(each.last_event is None for each in status.sources)
    assert {each.age_seconds for each in status.consumers} == {None}
    assert status.tickets.messages == 0
    assert [each.lag_seconds for each in status.feeds] == [None, None]
    assert status.accounts is None
    assert status.alarms is None


def test_a_stack_at_work(account: Account) -> None:
    def own(name: str, value: float, age: float = 60.0, **dimensions: str) -> None:
        account.put("MozDef-EF", name, value, age, **dimensions, **COMMON)

    own("Received", 30, source="github")
    own("Received", 30, 120, source="github")
    own("Delivered", 50, source="github")
    own("Rejected", 10, source="github")
    own("Received", 7, 3_600, source="pulled")
    own("Received", 2, source="_unknown")
    # Another stage of the account, and other dimensions: other metrics.
    account.put("MozDef-EF", "Received", 999, source="github", service="ingest", stage="dev")
    account.put("MozDef-EF", "Received", 999, source="github", service="ingest")
    own("PollLagSeconds", 75, source="pulled", feed="logs")
    account.put("AWS/Lambda", "IteratorAge", 1_500, FunctionName="fan-out")
    account.put("AWS/Lambda", "IteratorAge", ARCHIVED, FunctionName="archiver")
    account.put("AWS/SQS", "ApproximateAgeOfOldestMessage", 90, QueueName=f"{STACK}-github")
    sqs = account.client("sqs")
    for queue, count in {"github": 3, "DeadLetters": 1}.items():
        for number in range(count):
            sqs.send_message(QueueUrl=account.urls[queue], MessageBody=str(number))
    sqs.receive_message(QueueUrl=account.urls["github"], VisibilityTimeout=60)

    status = account.watcher().look(NOW, 5)
    github, pulled, unknown = status.sources
    assert github.per_minute["Received"] == 12
    assert github.per_minute["Delivered"] == 10
    assert github.per_minute["Rejected"] == 2
    assert github.last_event == pytest.approx(NOW - 60, abs=61)
    assert pulled.per_minute["Received"] == 0
    assert pulled.last_event == pytest.approx(NOW - 3_600, abs=301)
    assert unknown.name == "_unknown"
    history = account.watcher().history(NOW, 60)
    assert (len(history["Received"]), history["Received"][-3:-1]) == (60, [30.0, 32.0])
    assert (sum(history["Received"]), sum(history["Rejected"])) == (62.0, 10.0)
    ages = {each.name: each.age_seconds for each in status.consumers}
    assert ages == {"fan-out": 1.5, "archiver": ARCHIVED / 1000}
    assert (status.tickets.waiting, status.tickets.taken) == (1, 0)
    queues = {each.name: each for each in status.queues}
    assert set(queues) == {"github", "github-redrive"}
    assert (queues["github"].waiting, queues["github"].taken) == (2, 1)
    assert queues["github"].oldest_seconds == 90
    assert queues["github-redrive"].oldest_seconds is None
    logs, more = status.feeds
    assert (logs.source, logs.feed, logs.lag_seconds) == ("pulled", "logs", 75)
    assert logs.why == "its last poll failed: GET /x: status 400"
    assert logs.polled == pytest.approx(NOW - 60, abs=1)
    assert more.feed == "more"
    assert more.why.startswith("never polled")


def test_the_local_pipelines_feeds_are_read_from_its_checkpoints(
    account: Account, tmp_path: Path
) -> None:
    where = Endpoints(
        api="",
        aws_endpoint_url=account.emulator.endpoint_url,
        region=account.emulator.region,
        stream="s",
        queues={},
        dead_letter_queue=account.urls["DeadLetters"],
        archive_bucket="b",
        dedupe_table="t",
        parameters={"pulled": {"api_credential": "x"}, "never": {"api_credential": "x"}},
        credentials=account.emulator.credentials,
    )
    never, logs = LocalWatcher(tmp_path)._feeds(where, NOW)
    assert (never.source, never.feed) == ("never", "")
    assert never.why.startswith("never polled")
    assert (logs.source, logs.feed) == ("pulled", "logs")
    assert logs.why == "its last poll failed: GET /x: status 400"
    unpolled = replace(where, parameters={"github": {"signing_secret": "x"}}, aws_endpoint_url="")
    assert LocalWatcher(tmp_path)._feeds(unpolled, NOW) == ()


def test_the_comparisons_of_a_day_are_summed_up(account: Account) -> None:
    for age, lacking in ((7_200.0, 3), (600.0, 0), (90_000.0, 9)):
        for name in ("RecordsCompared", "ShardsNotCompared", "UnreadableLines"):
            account.put("MozDef-EF", name, lacking + 1, age, **COMMON)
        account.put("MozDef-EF", "UnmatchedRecords", lacking, age, consumer="fan-out", **COMMON)
        account.put("MozDef-EF", "UnmatchedRecords", 1, age, consumer="archiver", **COMMON)
    found = account.watcher().look(NOW, 5).accounts
    assert found is not None
    assert (found.records, found.left_out) == (5, 10)
    assert found.unmatched == {"fan-out": 3, "archiver": 2}
    assert found.compared == pytest.approx(NOW - 600, abs=3_601)


def test_alarms_that_are_on_are_named(account: Account) -> None:
    cloudwatch = account.client("cloudwatch")
    for name in (f"{STACK}-tickets", f"{STACK}-redrive", "another-stack-tickets"):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[{"Name": "QueueName", "Value": "none"}],
            Statistic="Maximum",
            Period=300,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="ignore",
        )
    for name in (f"{STACK}-tickets", "another-stack-tickets"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    assert CloudWatch(cloudwatch).alarms(f"{STACK}-") == ("tickets",)
    assert account.watcher().look(NOW, 5).alarms == ("tickets",)
    assert CloudWatch(cloudwatch).alarms("none-") is None


def test_more_series_than_one_call_takes(account: Account) -> None:
    series = [Series.of("Many", "M", {"n": str(number)}) for number in range(501)]
    account.put("Many", "M", 7, n="500")
    found = CloudWatch(account.client("cloudwatch")).read(
        series, start=NOW - 600, end=NOW, period=60
    )
    assert {one.dimensions: points[0][1] for one, points in found.items() if points} == {
        (("n", "500"),): 7
    }


def test_a_stack_that_is_not_there_is_one_clear_line(account: Account) -> None:
    with pytest.raises(WatchError, match="nosuch: cannot be described"):
        StackWatcher(account.client, "nosuch").look(NOW, 5)


def test_a_stack_of_an_older_version_is_one_clear_line(account: Account) -> None:
    template = {
        "Resources": {"Any": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "other"}}}
    }
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(StackName="old", TemplateBody=json.dumps(template))
    with pytest.raises(WatchError, match="old: has no output ArchiverFunctionName"):
        StackWatcher(account.client, "old").look(NOW, 5)
