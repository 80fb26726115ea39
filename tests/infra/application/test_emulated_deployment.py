"""The whole application template, deployed into the local emulator's CloudFormation."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.assembly.app import ROOT
from local.emulator import Emulator
from local.emulator_access import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.conftest import Synthesized

REGION = "us-west-2"
STACK = "MozDef-EF-all-prod"
ASSETS = f"cdk-hnb659fds-assets-000000000000-{REGION}"
LEFT_OUT = {
    "AWS::Athena::WorkGroup",
    "AWS::CloudWatch::Alarm",  # takes none with metric math, and all of this stack have some
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::Glue::Database",
    "AWS::Glue::Table",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::QueryDefinition",
    "AWS::WAFv2::WebACLAssociation",
    "AWS::XRay::SamplingRule",
}
"""What the emulator does not know; docs/local.md lists it."""


def known_part(document: dict[str, Any]) -> dict[str, Any]:
    """Return the template without what the emulator does not know; references become text."""
    gone = {
        name for name, resource in document["Resources"].items() if resource["Type"] in LEFT_OUT
    }

    def without(value: Any) -> Any:
        match value:
            case {"Ref": str(name)} if name in gone:
                return name
            case {"Fn::GetAtt": [str(name), attribute]} if name in gone:
                return f"{name}.{attribute}"
            case dict():
                return {key: without(item) for key, item in value.items()}
            case list():
                return [without(item) for item in value]
        return value

    kept = {name: body for name, body in document["Resources"].items() if name not in gone}
    for body in kept.values():
        after = body.get("DependsOn", [])
        after = [after] if isinstance(after, str) else after
        body["DependsOn"] = [name for name in after if name not in gone]
    known: dict[str, Any] = without({**document, "Resources": kept})
    return known


@pytest.fixture(scope="module")
def emulator(
    everything: Synthesized, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    """An emulator with what `cdk bootstrap` and the asset publishing leave in an account."""
    folder = tmp_path_factory.mktemp("emulator")
    services = (*SERVICES, "lambda")
    with Emulator(folder / "state", region=REGION, services=services) as started:
        started.client("ssm").put_parameter(
            Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String"
        )
        s3 = started.client("s3")
        s3.create_bucket(Bucket=ASSETS, CreateBucketConfiguration={"LocationConstraint": REGION})
        for asset in everything.folder.glob("asset.*"):
            key = asset.name.removeprefix("asset.")
            archive = shutil.make_archive(str(folder / key), "zip", asset)
            s3.upload_file(archive, ASSETS, f"{key}.zip")
        yield started


@pytest.fixture(scope="module")
def deployed(everything: Synthesized, emulator: Emulator) -> dict[str, str]:
    """The physical ids of the deployed stack, by logical id."""
    cloudformation = emulator.client("cloudformation")
    template = json.dumps(known_part(everything.document))
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=template,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )
    assert settled(cloudformation) == "CREATE_COMPLETE"
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}


def settled(cloudformation: Any) -> str:
    end = time.monotonic() + 600
    while True:
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        status: str = stack["StackStatus"]
        if not status.endswith("IN_PROGRESS") or time.monotonic() > end:
            events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
            print(*(event for event in events if "FAILED" in event["ResourceStatus"]), sep="\n")
            return status
        time.sleep(0.05)


def test_all_that_the_emulator_knows_is_deployed(
    everything: Synthesized, deployed: dict[str, str]
) -> None:
    resources = everything.document["Resources"]
    left_out = {body["Type"] for name, body in resources.items() if name not in deployed}
    assert left_out == LEFT_OUT
    assert len(deployed) > 100


def test_what_is_left_out_is_listed() -> None:
    text = (ROOT / "docs" / "local.md").read_text()
    assert {kind for kind in LEFT_OUT if f"`{kind}`" in text} == LEFT_OUT


def test_functions_and_mappings_are_as_in_the_template(
    everything: Synthesized, deployed: dict[str, str], emulator: Emulator
) -> None:
    client = emulator.client("lambda")
    for name, properties in everything.all("AWS::Lambda::Function").items():
        found = client.get_function_configuration(FunctionName=deployed[name])
        for key in ("Handler", "Runtime", "MemorySize", "Timeout", "Architectures"):
            assert found[key] == properties[key], (name, key)
        variables = found["Environment"]["Variables"]
        assert set(variables) == set(properties["Environment"]["Variables"])
        assert not any("Fn::" in value or "${Token" in value for value in variables.values())
        if "QUEUE_URLS" in variables:
            urls = json.loads(variables["QUEUE_URLS"])
            known = set(deployed.values())
            assert {Path(url).name for url in urls.values()} <= {Path(url).name for url in known}
    mappings = client.list_event_source_mappings()["EventSourceMappings"]
    assert len(mappings) == len(everything.all("AWS::Lambda::EventSourceMapping")) == 2
    stream = emulator.client("kinesis").list_streams()["StreamNames"]
    assert {one["EventSourceArn"].rpartition("/")[2] for one in mappings} == set(stream)


def test_the_same_template_again_changes_nothing(
    everything: Synthesized, deployed: dict[str, str], emulator: Emulator
) -> None:
    cloudformation = emulator.client("cloudformation")
    before = len(deployed)
    cloudformation.update_stack(
        StackName=STACK,
        TemplateBody=json.dumps(known_part(everything.document)),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )
    assert settled(cloudformation) == "UPDATE_COMPLETE"
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    assert {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources} == deployed
    assert len(resources) == before
