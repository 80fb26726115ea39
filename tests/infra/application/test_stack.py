"""The stack as a whole: names, tags, outputs, functions, and the rules that it keeps."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from infra.application.checks import add_checks
from settings.deployment import Deployment, DeploymentError
from tests.infra.linting import lint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.infra.conftest import Synthesized

UNTAGGED = re.compile(
    r"Policy$|Permission$|::Glue::|::ApiGateway::(?!RestApi$|Stage$)|LayerVersion$|CDK::Metadata$"
    r"|::MetricFilter$|::QueryDefinition$|::Subscription$|KMS::Alias$|::EventInvokeConfig$"
    r"|::WebACLAssociation$"
    r"|Events::Rule$"  # it has some by now, and the construct gives it none
)
"""Types that CloudFormation gives no tags, or that have none of their own."""


def test_stack_is_named_and_tagged(stack: Synthesized) -> None:
    assert stack.template.name == "MozDef-EF-ingest-test.template.json"
    tag = {"Key": "Project", "Value": "MozDef-EF-test"}
    for name, resource in stack.document["Resources"].items():
        if not UNTAGGED.search(resource["Type"]):
            assert tag in resource["Properties"]["Tags"], name


def test_outputs_are_the_documented_ones(stack: Synthesized) -> None:
    outputs = stack.document["Outputs"]
    assert set(outputs) == {
        "ApiUrl",
        "StreamName",
        "ArchiveBucketName",
        "DedupeTableName",
        "DeadLetterQueueUrl",
        "FanOutFunctionName",
        "ArchiverFunctionName",
        "ReplayStateMachineArn",
        "AthenaWorkgroup",
        "GlueDatabase",
        "Sources",
        "BillsOfMaterials",
        "KeyArn",
    }
    assert outputs["ApiUrl"]["Value"]["Fn::Join"][1][-1] == "/test"
    assert outputs["StreamName"]["Value"] == {"Ref": stack.one("AWS::Kinesis::Stream")[0]}
    assert outputs["ArchiveBucketName"]["Value"] == {"Ref": stack.one("AWS::S3::Bucket")[0]}
    assert outputs["DedupeTableName"]["Value"] == {"Ref": stack.one("AWS::DynamoDB::Table")[0]}
    tickets, _ = stack.one("AWS::SQS::Queue", "DeadLetters")
    assert outputs["DeadLetterQueueUrl"]["Value"] == {"Ref": tickets}
    for output, resource_type, name in (
        ("FanOutFunctionName", "AWS::Lambda::Function", "FanOut"),
        ("ArchiverFunctionName", "AWS::Lambda::Function", "Archiver"),
        ("ReplayStateMachineArn", "AWS::StepFunctions::StateMachine", ""),
        ("AthenaWorkgroup", "AWS::Athena::WorkGroup", ""),
        ("GlueDatabase", "AWS::Glue::Database", ""),
    ):
        assert outputs[output]["Value"] == {"Ref": stack.one(resource_type, name)[0]}


def test_sources_output_describes_each_source(stack: Synthesized) -> None:
    queues = {
        properties["QueueName"].removeprefix("MozDef-EF-ingest-test-"): logical_id
        for logical_id, properties in stack.all("AWS::SQS::Queue").items()
        if "QueueName" in properties
    }
    parts = stack.document["Outputs"]["Sources"]["Value"]["Fn::Join"][1]
    described = json.loads(
        "".join(part if isinstance(part, str) else part["Ref"] for part in parts)
    )
    assert described == {
        "github": {
            "ingest": "direct",
            "route": "/github",
            "parameter": "/MozDef-EF/github/test/signing_secret",
            "queues": {"github": queues["github"]},
            "queue": queues["github"],
        },
        "generic": {
            "ingest": "direct",
            "route": "/generic",
            "parameter": "/MozDef-EF/generic/test/auth_token",
            "queues": {"generic": queues["generic"]},
            "queue": queues["generic"],
        },
        "alarms": {
            "ingest": "direct",
            "route": "/alarms",
            "parameter": "/MozDef-EF/alarms/test/auth_token",
            "queues": {"github": queues["github"], "urgent": queues["urgent"]},
            "queue": queues["github"],
        },
    }


@pytest.mark.parametrize(
    ("name", "handler"),
    [
        ("Authorizer", "ingest_lambdas.authorizer.handler"),
        ("FanOut", "stream_processors.fan_out.handler"),
        ("Archiver", "stream_processors.archiver.handler"),
        ("ReplayWorker", "stream_processors.replay_worker.handler"),
    ],
)
def test_functions_run_the_same_code_on_the_same_layer(
    stack: Synthesized, name: str, handler: str
) -> None:
    _, function = stack.one("AWS::Lambda::Function", name)
    layer_id, layer = stack.one("AWS::Lambda::LayerVersion")
    log_group, log_settings = stack.one("AWS::Logs::LogGroup", name)
    assert function["Handler"] == handler
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == layer["CompatibleArchitectures"] == ["arm64"]
    assert function["Layers"] == [{"Ref": layer_id}]
    assert function["LoggingConfig"]["LogGroup"] == {"Ref": log_group}
    assert log_settings["RetentionInDays"] == 30
    code = stack.asset(function["Code"]["S3Key"])
    assert (code / "/".join(handler.split(".")[:-1])).with_suffix(".py").is_file()
    assert (code / "compiled_catalog" / "__init__.py").is_file()
    assert (stack.asset(layer["Content"]["S3Key"]) / "python").is_dir()


def test_functions_have_the_documented_environment(stack: Synthesized) -> None:
    common = {
        "PROJECT": "MozDef-EF",
        "STAGE": "test",
        "POWERTOOLS_SERVICE_NAME": "ingest",
        "POWERTOOLS_METRICS_NAMESPACE": "MozDef-EF",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
    own: dict[str, set[str]] = {
        "Authorizer": set(),
        "FanOut": {"QUEUE_URLS", "DEDUPE_TABLE", "ARCHIVE_BUCKET"},
        "Archiver": {"ARCHIVE_BUCKET"},
        "ReplayWorker": {"ARCHIVE_BUCKET", "STREAM_NAME", "MAX_RECORD_KIB"},
    }
    for function, names in own.items():
        _, properties = stack.one("AWS::Lambda::Function", function)
        variables = properties["Environment"]["Variables"]
        assert {name: variables[name] for name in common} == common, function
        assert set(variables) - set(common) == names, function
    bucket, stream = stack.one("AWS::S3::Bucket")[0], stack.one("AWS::Kinesis::Stream")[0]
    _, worker = stack.one("AWS::Lambda::Function", "ReplayWorker")
    assert worker["Environment"]["Variables"]["ARCHIVE_BUCKET"] == {"Ref": bucket}
    assert worker["Environment"]["Variables"]["STREAM_NAME"] == {"Ref": stream}


def test_no_function_is_there_that_nobody_wrote(stack: Synthesized) -> None:
    """The CDK brings functions of its own for some features, with wide permissions."""
    assert len(stack.all("AWS::Lambda::Function")) == 5
    assert not [
        name
        for name, resource in stack.document["Resources"].items()
        if resource["Type"].startswith("Custom::")
    ]


def test_cdk_nag_found_nothing(stack: Synthesized) -> None:
    report = json.loads((stack.folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []


def test_cdk_nag_does_look(tmp_path: Path) -> None:
    from aws_cdk import App, Stack
    from aws_cdk import aws_sqs as sqs

    app = App(outdir=str(tmp_path), analytics_reporting=False)
    sqs.Queue(Stack(app, "Careless"), "Queue")
    add_checks(app)
    with pytest.raises(RuntimeError, match=r"Validation ?[Ff]ailed"):
        app.synth()


def test_cfn_lint_finds_nothing(stack: Synthesized) -> None:
    assert [str(match) for match in lint(stack.template)] == []


def test_same_inputs_give_the_same_assembly(
    synthesized: Callable[[Deployment], Synthesized], stack: Synthesized, deployment: Deployment
) -> None:
    # Another order of the same sources is another deployment to the fixture, and the same stack.
    reordered = deployment.model_copy(update={"sources": tuple(reversed(deployment.sources))})
    assert synthesized(reordered).template.read_bytes() == stack.template.read_bytes()


def test_nothing_of_this_machine_is_in_the_template(stack: Synthesized) -> None:
    text = stack.template.read_text()
    assert str(stack.folder) not in text
    assert "/tmp" not in text


def test_more_queues_than_an_environment_holds_are_refused(
    synthesized: Callable[[Deployment], Synthesized], deployment: Deployment, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    queues = ", ".join(f"t{i}: queue-number-{i}" for i in range(40))
    settings = (
        "version: 1\ntitle: Many queues\nauthentication: {type: token}\n"
        f"headers: {{keep: [X-T]}}\nevent_type: {{header: X-T}}\nqueue: {{by_type: {{{queues}}}}}\n"
    )
    (folder / "source.yaml").write_text(settings)
    many = deployment.model_copy(update={"sources": ("many",), "source_directory": tmp_path})
    with pytest.raises(DeploymentError, match="41 queues"):
        synthesized(many)
