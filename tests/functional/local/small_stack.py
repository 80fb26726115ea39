"""A cloud assembly as small as one can be: a route into a stream, a function behind it, a queue."""

from __future__ import annotations

import http.client
import json
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from local.emulator import client

if TYPE_CHECKING:
    from pathlib import Path

    from local.endpoints import Endpoints

STACK = "small"
HANDLERS = """
    import base64, json, os, time
    import boto3
    sqs = boto3.client("sqs")

    def authorize(event, context):
        allowed = event["headers"].get("Authorization") == "yes"
        return {"principalId": "sender", "policyDocument": {"Version": "2012-10-17", "Statement": [
            {"Action": "execute-api:Invoke", "Effect": "Allow" if allowed else "Deny",
             "Resource": "*"}]}}

    def deliver(event, context):
        for record in event["Records"]:
            text = base64.b64decode(record["kinesis"]["data"]).decode()
            if text == "poison":
                os._exit(3)
            if text == "slow":
                time.sleep(30)
            sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=text)
"""


SCRIPT = """
    import sys
    from pathlib import Path
    from local.supervisor import LocalRuntime
    runtime = LocalRuntime(Path({assembly!r}), state=Path({state!r}), port=None)
    runtime.run_until_stopped(lambda where: print(*runtime.pids(), flush=True))
    print("stopped", flush=True)
"""


def function(handler: str, code: str = "code", **environment: Any) -> dict[str, Any]:
    """Return a function whose code is in `asset.<code>`."""
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": handler,
            "Timeout": 60,
            "Code": {"S3Bucket": "assets", "S3Key": f"{code}.zip"},
            "Environment": {"Variables": environment},
        },
    }


def _integration() -> dict[str, Any]:
    data = {"Fn::Join": ["", ['{"StreamName":"', {"Ref": "Stream"}, '","PartitionKey":"k"']]}
    template = {"Fn::Join": ["", [data, ',"Data":"$util.base64Encode($input.body)"}']]}
    return {
        "Type": "AWS",
        "IntegrationHttpMethod": "POST",
        "Credentials": {"Fn::GetAtt": ["Role", "Arn"]},
        "Uri": {"Fn::Join": ["", ["arn:aws:apigateway:us-west-2:kinesis:action/", "PutRecord"]]},
        "PassthroughBehavior": "NEVER",
        "RequestTemplates": {"application/json": template},
        "IntegrationResponses": [{"StatusCode": "200"}],
    }


def _authorizer(api: dict[str, Any]) -> dict[str, Any]:
    arn = {"Fn::GetAtt": ["Authorize", "Arn"]}
    path = "arn:aws:apigateway:us-west-2:lambda:path/2015-03-31/functions/"
    return {
        "Type": "AWS::ApiGateway::Authorizer",
        "Properties": {
            **api,
            "Name": "token",
            "Type": "REQUEST",
            "IdentitySource": "method.request.header.Authorization",
            "AuthorizerUri": {"Fn::Join": ["", [path, arn, "/invocations"]]},
        },
    }


def api_resources() -> dict[str, Any]:
    """Return the API: one route, with an authorizer."""
    api = {"RestApiId": {"Ref": "Api"}}
    return {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api"}},
        "Route": {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {
                **api,
                "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "PathPart": "hook",
            },
        },
        "Authorizer": _authorizer(api),
        "Post": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                **api,
                "ResourceId": {"Ref": "Route"},
                "HttpMethod": "POST",
                "AuthorizationType": "CUSTOM",
                "AuthorizerId": {"Ref": "Authorizer"},
                "Integration": _integration(),
                "MethodResponses": [{"StatusCode": "200"}],
            },
        },
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": api},
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {
                **api,
                "DeploymentId": {"Ref": "Deployment"},
                "StageName": "test",
            },
        },
    }


def _data() -> dict[str, Any]:
    return {
        "Role": {"Type": "AWS::IAM::Role"},
        "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Tickets": {"Type": "AWS::SQS::Queue"},
        "Archive": {"Type": "AWS::S3::Bucket"},
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
            },
        },
        "Authorize": function("handlers.authorize"),
        "Deliver": function("handlers.deliver", QUEUE_URL={"Ref": "Queue"}),
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]},
                "FunctionName": {"Ref": "Deliver"},
                "StartingPosition": "TRIM_HORIZON",
                "MaximumRetryAttempts": 0,
                "BisectBatchOnFunctionError": True,
                "DestinationConfig": {
                    "OnFailure": {"Destination": {"Fn::GetAtt": ["Archive", "Arn"]}}
                },
            },
        },
    }


def _outputs() -> dict[str, Any]:
    head = '{"hook":{"route":"/hook","parameter":"/small/hook/test/auth_token","queue":"'
    sources = {"Fn::Join": ["", [head, {"Ref": "Queue"}, '","queues":{}}}']]}
    return {
        "Sources": {"Value": sources},
        "StreamName": {"Value": {"Ref": "Stream"}},
        "DeadLetterQueueUrl": {"Value": {"Ref": "Tickets"}},
        "ArchiveBucketName": {"Value": {"Ref": "Archive"}},
        "DedupeTableName": {"Value": {"Ref": "Table"}},
    }


def write_assembly(directory: Path, **changes: Any) -> Path:
    """Write the assembly; `changes` replace or add resources."""
    code = directory / "asset.code"
    code.mkdir(parents=True, exist_ok=True)
    (code / "handlers.py").write_text(dedent(HANDLERS))
    resources = {**_data(), **api_resources(), **changes}
    template = {"Resources": resources, "Outputs": _outputs()}
    (directory / "small.template.json").write_text(json.dumps(template))
    artifact = {
        "type": "aws:cloudformation:stack",
        "properties": {"templateFile": "small.template.json", "stackName": STACK},
    }
    (directory / "manifest.json").write_text(json.dumps({"artifacts": {STACK: artifact}}))
    return directory


def post(where: Endpoints, text: str, token: str = "yes", path: str = "/hook") -> int:
    connection = http.client.HTTPConnection(where.api.removeprefix("http://"), timeout=600)
    headers = {"Authorization": token, "Content-Type": "application/json"}
    connection.request("POST", path, text, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def messages(where: Endpoints, *, delete: bool = True) -> list[str]:
    """Receive what is in the queue; what is not deleted is seen again at once."""
    sqs = client(
        "sqs",
        endpoint_url=where.aws_endpoint_url,
        region=where.region,
        credentials=where.credentials,
    )
    found: list[str] = []
    url, hidden = where.queues["hook"], 30 if delete else 0
    while batch := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=hidden
    ).get("Messages"):
        found += [message["Body"] for message in batch]
        if not delete:
            break
        for message in batch:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return sorted(found)
