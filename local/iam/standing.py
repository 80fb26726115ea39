"""What AWS's services do by themselves, which no request on this machine shows.

It follows from what the template wires together (routes, rules, notifications, mappings, alarms,
logs), never from its policies: a wire without its permission is what is looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.gateway.reader import read_api
from local.iam.calls import IamCall
from local.iam.policies import PolicyUnknownError, arn_of, as_list
from local.iam.workflows import workflow_calls
from local.lambdas import role_of
from local.mapping.settings import read_mappings
from local.schedule_settings import read_schedules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.iam.actions import IamPlace
    from local.iam.keys import Keys
    from local.template import Resource, Template

#: CloudWatch Logs User Guide, encrypting log data: what its key policy must allow, written out.
LOGS_KEY_USE = (
    *("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair"),
    *("GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext"),
    *("ReEncryptFrom", "ReEncryptTo"),
)
#: AWS Lambda Developer Guide, Kinesis: what a mapping needs of the function's role.
_MAPPING = (
    *("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"),
)
#: The same, where it is mapped to a consumer with enhanced fan-out.
_SUBSCRIBED = ("DescribeStreamConsumer", "SubscribeToShard")
API, RULES = "apigateway.amazonaws.com", "events.amazonaws.com"


def _taken_roles(template: Template) -> Iterator[IamCall]:
    for kind, name, service in _TAKEN:
        for each in template.resources(kind):
            if role := template.resolve(each.properties.get(name, "")):
                yield IamCall.make(service, "sts:AssumeRole", role, why=each.logical_id)


_TAKEN = (
    ("AWS::ApiGateway::Account", "CloudWatchRoleArn", API),
    ("AWS::StepFunctions::StateMachine", "RoleArn", "states.amazonaws.com"),
)
_NOTIFIED = (
    ("TopicConfigurations", "Topic", "sns:Publish"),
    ("QueueConfigurations", "Queue", "sqs:SendMessage"),
    ("LambdaConfigurations", "Function", "lambda:InvokeFunction"),
)


def standing_calls(template: Template, place: IamPlace, keys: Keys) -> list[IamCall]:
    """Return what AWS's services do by themselves with what a template makes.

    Raises
    ------
    TemplateError
        For a part that the local runtime cannot read.
    """
    first = [
        *_functions(template),
        *_mappings(template),
        *_schedules(template),
        *_front_door(template, place),
        *_taken_roles(template),
        *workflow_calls(template),
        *_notifications(template, place),
        *_alarms(template, place),
    ]
    of_keys = [each for call in first for each in keys.calls(call, place)]
    return list(dict.fromkeys([*first, *of_keys, *_logs(template, place, keys)]))


def _functions(template: Template) -> Iterator[IamCall]:
    for function in template.resources("AWS::Lambda::Function"):
        role = _role_arn(template, function)
        yield IamCall.make("lambda.amazonaws.com", "sts:AssumeRole", role, why="to run it")
        group = function.properties.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref")
        if group:
            stream = arn_of(template, group).removesuffix("*") + "log-stream:2026/01/01/[$LATEST]1"
            yield IamCall.make(role, "logs:CreateLogStream", stream, why="what it prints")
            yield IamCall.make(role, "logs:PutLogEvents", stream, why="what it prints")
        if function.properties.get("TracingConfig", {}).get("Mode") == "Active":
            for action in ("PutTraceSegments", "PutTelemetryRecords"):
                yield IamCall.make(role, f"xray:{action}", "*", why="its traces")


def _role_arn(template: Template, function: Resource) -> str:
    role = role_of(template, function.properties.get("Role"))
    if not role:
        raise PolicyUnknownError(f"{function.logical_id}: Role: no role of this stack")
    return arn_of(template, role)


def _mappings(template: Template) -> Iterator[IamCall]:
    for mapping in read_mappings(template):
        why = f"the mapping {mapping.logical_id}"
        for action in _MAPPING:
            stream = mapping.stream_arn
            yield IamCall.make(mapping.role_arn, f"kinesis:{action}", stream, why=why)
        for action in _SUBSCRIBED if mapping.consumer_arn else ():
            reader = mapping.consumer_arn
            yield IamCall.make(mapping.role_arn, f"kinesis:{action}", reader, why=why)
        to = mapping.destination or ""
        if ":s3:" in to:
            key = f"{to}/aws/lambda/{mapping.uuid}/shardId-000000000000/2026/01/01/1"
            yield IamCall.make(mapping.role_arn, "s3:PutObject", key, why=why)
            yield IamCall.make(mapping.role_arn, "s3:ListBucket", to, why=why)
        elif ":sqs:" in to:
            yield IamCall.make(mapping.role_arn, "sqs:SendMessage", to, why=why)


def _schedules(template: Template) -> Iterator[IamCall]:
    for schedule in read_schedules(template):
        yield IamCall.make(
            RULES,
            "lambda:InvokeFunction",
            arn_of(template, schedule.function),
            {"aws:SourceArn": arn_of(template, schedule.rule)},
            f"the rule {schedule.name}",
        )


def _front_door(template: Template, place: IamPlace) -> Iterator[IamCall]:
    for credentials in {
        str(template.resolve(method.properties["Integration"]["Credentials"]))
        for method in template.resources("AWS::ApiGateway::Method")
        if "Credentials" in method.properties.get("Integration", {})
    }:
        yield IamCall.make(API, "sts:AssumeRole", credentials, why="to call for a route")
    if not list(template.resources("AWS::ApiGateway::RestApi")):
        return
    api = read_api(template)
    for route in api.routes:
        called = {}
        if route.authorizer:
            source = f"{api.api_id}/authorizers/{route.authorizer.logical_id}"
            called[source] = route.authorizer.function
        if route.integration.function:
            where = f"{api.stage}/{route.http_method}{route.resource_path}"
            called[f"{api.api_id}/{where}"] = route.integration.function
        for source, function in called.items():
            yield IamCall.make(
                API,
                "lambda:InvokeFunction",
                arn_of(template, function),
                {"aws:SourceArn": place.arn("execute-api", source)},
                f"the route {route.http_method} {route.resource_path}",
            )


_SENT = {"sqs": "sqs:SendMessage", "lambda": "lambda:InvokeFunction"}


def _notifications(template: Template, place: IamPlace) -> Iterator[IamCall]:
    for bucket in template.resources("AWS::S3::Bucket"):
        given = template.resolve(bucket.properties.get("NotificationConfiguration", {}))
        source = _source(arn_of(template, bucket.logical_id), place)
        why = f"notifications of {bucket.logical_id}"
        for kind, name, action in _NOTIFIED:
            for to in {each[name] for each in given.get(kind, [])}:
                yield IamCall.make("s3.amazonaws.com", action, to, source, why)
    for subscription in template.resources("AWS::SNS::Subscription"):
        given = template.resolve(subscription.properties)
        if sent := _SENT.get(str(given.get("Protocol"))):
            source = _source(str(given["TopicArn"]), place)
            why = f"the subscription {subscription.logical_id}"
            yield IamCall.make("sns.amazonaws.com", sent, given["Endpoint"], source, why)


def _alarms(template: Template, place: IamPlace) -> Iterator[IamCall]:
    for alarm in template.resources("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
        name = template.resolve(alarm.properties.get("AlarmName", alarm.logical_id))
        source = _source(place.arn("cloudwatch", f"alarm:{name}"), place)
        for kind in ("AlarmActions", "OKActions", "InsufficientDataActions"):
            for to in as_list(template.resolve(alarm.properties.get(kind, []))):
                if ":sns:" in to:
                    yield IamCall.make(
                        "cloudwatch.amazonaws.com", "sns:Publish", to, source, f"the alarm {name}"
                    )


def _logs(template: Template, place: IamPlace, keys: Keys) -> Iterator[IamCall]:
    for group in template.resources("AWS::Logs::LogGroup"):
        arn = arn_of(template, group.logical_id).removesuffix(":*")
        for action in LOGS_KEY_USE if arn in keys.by_resource else ():
            yield IamCall.make(
                f"logs.{place.region}.amazonaws.com",
                f"kms:{action}",
                keys.by_resource[arn],
                {"kms:EncryptionContext:aws:logs:arn": arn},
                f"the log group {group.logical_id}",
            )


def _source(arn: str, place: IamPlace) -> dict[str, str]:
    return {"aws:SourceArn": arn, "aws:SourceAccount": place.account}
