"""A template with one of each resource that the emulator creates, and some that it does not."""

from __future__ import annotations

from typing import Any

from local.template import Template

REGION = "us-west-2"
DOCUMENT: dict[str, Any] = {
    "Resources": {
        "Key": {"Type": "AWS::KMS::Key"},
        "Role": {"Type": "AWS::IAM::Role"},
        "Stream": {
            "Type": "AWS::Kinesis::Stream",
            "Properties": {
                "ShardCount": 2,
                "StreamEncryption": {"EncryptionType": "KMS", "KeyId": {"Ref": "Key"}},
            },
        },
        "Redrive": {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 1209600}},
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "QueueName": {"Fn::Join": ["-", [{"Ref": "AWS::StackName"}, "events"]]},
                "ReceiveMessageWaitTimeSeconds": 20,
                "RedrivePolicy": {
                    "deadLetterTargetArn": {"Fn::GetAtt": ["Redrive", "Arn"]},
                    "maxReceiveCount": 10,
                },
            },
        },
        "Tickets": {"Type": "AWS::SQS::Queue", "DependsOn": ["Role", "Redrive"]},
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
                "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
            },
        },
        "Paced": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "ProvisionedThroughput": {"ReadCapacityUnits": 7, "WriteCapacityUnits": 7},
            },
        },
        "Topic": {
            "Type": "AWS::SNS::Topic",
            "Properties": {"KmsMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]}},
        },
        "Subscription": {
            "Type": "AWS::SNS::Subscription",
            "DependsOn": ["Bucket"],
            "Properties": {
                "TopicArn": {"Ref": "Topic"},
                "Protocol": "sqs",
                "Endpoint": {"Fn::GetAtt": ["Tickets", "Arn"]},
                "RawMessageDelivery": True,
            },
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "NotificationConfiguration": {
                    "TopicConfigurations": [
                        {
                            "Event": "s3:ObjectCreated:*",
                            "Topic": {"Ref": "Topic"},
                            "Filter": {
                                "S3Key": {"Rules": [{"Name": "prefix", "Value": "rejected/"}]}
                            },
                        }
                    ]
                }
            },
        },
    },
}


def small_data_plane(stack: str = "MozDef-EF-test") -> Template:
    return Template(DOCUMENT, stack, REGION)
