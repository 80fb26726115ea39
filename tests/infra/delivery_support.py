"""Delivery pipelines to synthesize, and what their assemblies say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from infra.assembly.app import synthesize_delivery
from loadtests.deploy_check.delivery import delivery_model
from local.template import Template
from settings.delivery_stages import load_delivery, plan_stages
from tests.infra.policies import statements

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.iam.model import IamModel

CONNECTION = (
    "arn:aws:codeconnections:us-west-2:111111111111:connection/00000000-0000-4000-8000-000000000000"
)
PIPELINE_ACCOUNT, STAGING_ACCOUNT, PRODUCTION_ACCOUNT = "1" * 12, "2" * 12, "3" * 12

SOURCES: dict[str, dict[str, Any]] = {
    "connection": {"mode": "github", "repository": "example/code", "connection_arn": CONNECTION},
    "token": {"mode": "github", "repository": "example/code", "token_secret": "github-token"},
    "codecommit": {"mode": "codecommit", "repository": "code", "branch": "trunk"},
    "both": {
        "mode": "both",
        "framework": {
            "provider": "github",
            "repository": "example/code",
            "connection_arn": CONNECTION,
        },
        "configuration": {"provider": "codecommit", "repository": "settings"},
    },
}
SAME_ACCOUNT: list[dict[str, Any]] = [
    {"name": "dev"},
    {"name": "staging", "smoke_test": True, "load_test": {"shape": "spike", "p95_ms": 321}},
    {"name": "production", "approval": True},
]
THREE_ACCOUNTS: list[dict[str, Any]] = [
    {"name": "dev", "account": STAGING_ACCOUNT},
    {"name": "staging", "account": STAGING_ACCOUNT, "smoke_test": True, "load_test": {}},
    {
        "name": "production",
        "account": PRODUCTION_ACCOUNT,
        "region": "eu-west-1",
        "approval": True,
    },
]


def settings(source: str, stages: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "account": PIPELINE_ACCOUNT,
        "region": "us-west-2",
        "source": SOURCES[source],
        "builds_on": "arm64" if source == "token" else "x86_64",
        "stages": stages,
    }


@dataclass(frozen=True)
class DeliveryAssembly:
    """The cloud assembly of a delivery pipeline."""

    folder: Path
    template: Path

    @cached_property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.template.read_text())
        return document

    def all(self, resource_type: str) -> dict[str, dict[str, Any]]:
        return {
            name: resource["Properties"]
            for name, resource in self.document["Resources"].items()
            if resource["Type"] == resource_type
        }

    @property
    def pipeline(self) -> dict[str, Any]:
        (found,) = self.all("AWS::CodePipeline::Pipeline").values()
        return found

    def actions(self, stage: str) -> list[list[str]]:
        """Return the names of a stage's actions, in the order in which they run."""
        (found,) = [one for one in self.pipeline["Stages"] if one["Name"] == stage]
        order: dict[int, list[str]] = {}
        for action in found["Actions"]:
            order.setdefault(action["RunOrder"], []).append(action["Name"])
        return [sorted(order[number]) for number in sorted(order)]

    def build_spec(self, containing: str) -> dict[str, Any]:
        """Return what a CodeBuild project runs."""
        (found,) = [
            project
            for name, project in self.all("AWS::CodeBuild::Project").items()
            if containing in name
        ]
        spec: dict[str, Any] = json.loads(found["Source"]["BuildSpec"])
        return spec

    def commands(self, containing: str) -> list[str]:
        phases = self.build_spec(containing)["phases"]
        return [*phases["install"]["commands"], *phases["build"]["commands"]]

    def role(self, containing: str) -> tuple[str, dict[str, Any]]:
        (found,) = [item for item in self.all("AWS::IAM::Role").items() if containing in item[0]]
        return found

    def deployed(self, stage: str, account: str) -> Template:
        """Return the stack of a stage that has one."""
        (path,) = self.stage_templates(stage)
        document = json.loads(path.read_text())
        return Template(document, f"MozDef-EF-ingest-{stage}", "us-west-2", account)

    def iam_model(self, stage: str, account: str = PIPELINE_ACCOUNT) -> IamModel:
        """Return the policies of the pipeline, and of a stage that it checks."""
        own = Template(self.document, "delivery", "us-west-2", PIPELINE_ACCOUNT)
        return delivery_model(own, [self.deployed(stage, account)])

    def stage_templates(self, stage: str) -> list[Path]:
        folder = self.folder / f"assembly-MozDef-EF-delivery-{stage}"
        return sorted(folder.glob("*.template.json"))


def write_config(folder: Path, mode: str, *, many: bool, private_sources: Path) -> None:
    """Write the settings of a pipeline of three stages.

    With many sources, the stages are in three accounts and two regions.
    """
    stages = THREE_ACCOUNTS if many else SAME_ACCOUNT
    (folder / "sources").symlink_to(private_sources)
    (folder / "delivery.yaml").write_text(yaml.safe_dump(settings(mode, stages)))
    for stage in stages:
        names = "[github, generic, alarms]" if many else "[github]"
        (folder / f"{stage['name']}.yaml").write_text(f"service: ingest\nsources: {names}\n")


def synthesize_config(config: Path, layer: Path) -> None:
    path = config / "delivery.yaml"
    delivery = load_delivery(path)
    synthesize_delivery(delivery, plan_stages(delivery, path), config / "cdk.out", layer=layer)


def assembly_of(config: Path) -> DeliveryAssembly:
    """Return what `synthesize_config` wrote."""
    (template,) = (config / "cdk.out").glob("*-delivery.template.json")
    return DeliveryAssembly(config / "cdk.out", template)


def granted(policy: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Return each action with its resource and the conditions."""
    for statement in statements(policy):
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                yield action, resource, statement.get("Condition", {})
