"""How the delivery pipeline publishes the assets of its stages."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from aws_cdk import DefaultStackSynthesizer, Fn, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aws_cdk import Stage, pipelines


def publish_with_the_command_line(
    pipeline: pipelines.CodePipeline, stages: Sequence[Stage], cli_version: str
) -> None:
    """Have the CDK's command line publish the assets, once the pipeline is built.

    CDK Pipelines writes a step that installs `cdk-assets`, whose newest version (4.7.3) reads a
    cloud assembly's manifest up to version 54, while the CDK's library writes 55. The command line
    is released for each version of the manifest. Its `publish-assets` is marked unstable, so
    `cli_version` is exact, and a test runs these very commands.

    Parameters
    ----------
    stages : Sequence[Stage]
        All stages of the pipeline.
    cli_version : str
        The version of the CDK's command line.
    """
    spec = {
        "version": "0.2",
        "phases": {
            "install": {
                "runtime-versions": {"nodejs": "22"},
                "commands": [f"npm install -g aws-cdk@{cli_version}"],
            },
            "build": {"commands": [publish_command(stage.artifact_id) for stage in stages]},
        },
    }
    assets = pipeline.node.find_child("Assets").node
    project, role = assets.find_child("FileAsset").node.default_child, assets.find_child("FileRole")
    if not isinstance(project, codebuild.CfnProject) or not isinstance(role, iam.Role):
        raise TypeError("CDK Pipelines publishes the files of all stages in one build project")
    project.add_property_override("Source.BuildSpec", json.dumps(spec, indent=2))
    for arn in _deploy_roles(stages):
        role.add_to_principal_policy(
            iam.PolicyStatement(actions=["sts:AssumeRole"], resources=[Fn.sub(arn)])
        )


def _deploy_roles(stages: Iterable[Stage]) -> list[str]:
    """Return the roles by which the command line reads how each account was bootstrapped."""
    stacks = [one for stage in stages for one in stage.node.children if isinstance(one, Stack)]
    found = [
        one.synthesizer.deploy_role_arn
        for one in stacks
        if isinstance(one.synthesizer, DefaultStackSynthesizer)
    ]
    return list(dict.fromkeys(found))


def publish_command(assembly: str) -> str:
    """Return the command that publishes what the stacks of a stage's assembly need.

    Parameters
    ----------
    assembly : str
        The stage's folder in the cloud assembly, in which the command is run.
    """
    return f"cdk publish-assets --unstable=publish-assets --app {shlex.quote(assembly)} '**'"
