"""What the delivery pipeline builds and runs: synthesis, smoke test and load test."""

from __future__ import annotations

import itertools
import shlex
from typing import TYPE_CHECKING

from aws_cdk import Duration, pipelines
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam

from infra.application.functions import RUNTIME
from infra.delivery_pipeline.checks import role_arn, step_role_name, target_role_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aws_cdk.aws_logs import ILogGroup
    from constructs import Construct

    from infra.delivery_pipeline.checks import Check
    from infra.delivery_pipeline.sources import Sources
    from settings.delivery_pipeline import DeliverySettings, LoadTest
    from settings.delivery_stages import PlannedStack, StagePlan

OUTPUT = "cdk.out"
_BIN = ".venv/bin"
_PYTHON = f"{_BIN}/python"
_COMMAND = f"{_BIN}/mozdef-ef"


def build_defaults(delivery: DeliverySettings, logs: ILogGroup) -> pipelines.CodeBuildOptions:
    """Return what all builds share: the image, its versions of Python and Node, and their logs.

    The CDK's own steps install its command line with npm, and the image's default Node is older
    than that needs. Nothing needs Docker, so no build is privileged.
    """
    of_arm = delivery.builds_on == "arm64"
    family = codebuild.LinuxArmBuildImage if of_arm else codebuild.LinuxBuildImage
    return pipelines.CodeBuildOptions(
        build_environment=codebuild.BuildEnvironment(
            build_image=family.from_code_build_image_id(delivery.build_image),
            compute_type=codebuild.ComputeType.SMALL,
            privileged=False,
        ),
        partial_build_spec=codebuild.BuildSpec.from_object(
            {"phases": {"install": {"runtime-versions": {"python": "3.11", "nodejs": "22"}}}}
        ),
        timeout=Duration.minutes(60),
        # Else CodeBuild makes a group for each project, which is kept for ever.
        logging=codebuild.LoggingOptions(
            cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=logs)
        ),
    )


def synth_step(sources: Sources, source_folders: Iterable[str]) -> pipelines.CodeBuildStep:
    """Return the step that checks everything that can be checked before a deployment.

    The framework's own tests run on the tree as it is in its repository: they are about the
    framework, and the private configuration is checked by commands of its own after it.

    Parameters
    ----------
    source_folders : Iterable[str]
        The folders of private sources, from the root of the tree.
    """
    checks = [
        f"if [ -d {folder} ]; then {_COMMAND} source check --sources {folder}; fi"
        for folder in map(shlex.quote, source_folders)
    ]
    folder = sources.config_folder
    synthesis = f"{_PYTHON} -m infra.assembly.app --delivery --bytecode"
    python = RUNTIME.name.removeprefix("python")
    return pipelines.CodeBuildStep(
        "Synth",
        input=sources.framework,
        additional_inputs=sources.additional_inputs,
        install_commands=["make setup", f"{_BIN}/uv python install {python}"],
        commands=[
            "make lint test",
            *sources.merge,
            f"{_COMMAND} config check --config {folder}",
            *checks,
            f"{synthesis} --config {folder} --output {OUTPUT}",
        ],
        primary_output_directory=OUTPUT,
        build_environment=codebuild.BuildEnvironment(compute_type=codebuild.ComputeType.MEDIUM),
    )


def check_steps(
    scope: Construct,
    *,
    delivery: DeliverySettings,
    plan: StagePlan,
    sources: Sources,
) -> list[pipelines.CodeBuildStep]:
    """Return the steps after a stage, each of which begins when the one before has passed.

    Parameters
    ----------
    sources : Sources
        Where the checks' code is.
    """
    steps = []
    if plan.stage.smoke_test:
        steps.append(_check(scope, "smoke", delivery, plan, sources))
    if plan.stage.load_test is not None:
        steps.append(_check(scope, "load", delivery, plan, sources))
    for before, after in itertools.pairwise(steps):
        after.add_step_dependency(before)
    return steps


def _check(
    scope: Construct, check: Check, delivery: DeliverySettings, plan: StagePlan, sources: Sources
) -> pipelines.CodeBuildStep:
    account = delivery.account_of(plan.stage)
    targets = {
        role_arn(scope, account, target_role_name(stack.deployment, check)): stack
        for stack in plan.stacks
    }
    name = f"{check.capitalize()}Test"
    role = iam.Role(
        scope,
        f"{plan.stage.name}{name}Role",
        role_name=step_role_name(delivery, plan.stage, check),
        description=f"Runs the {check} test of the stage {plan.stage.name}",
        assumed_by=iam.ServicePrincipal("codebuild.amazonaws.com"),
        inline_policies={
            "Check": iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(
                        sid="LookIntoTheStage",
                        actions=["sts:AssumeRole"],
                        resources=list(targets),
                    )
                ]
            )
        },
    )
    return pipelines.CodeBuildStep(
        f"{plan.stage.name}-{name}",
        input=sources.framework,
        additional_inputs=sources.additional_inputs,
        install_commands=["make setup"],
        commands=[*sources.merge, *_commands(check, targets, plan, sources.config_folder)],
        role=role,
    )


def _commands(
    check: Check, targets: Mapping[str, PlannedStack], plan: StagePlan, config: str
) -> list[str]:
    commands = []
    for arn, stack in targets.items():
        options = ["--stack", stack.deployment.stack_name, "--role-arn", arn]
        options += ["--aws-region", str(stack.deployment.region)]
        options += ["--private-sources", stack.sources_in(config)]
        if check == "smoke":
            command = [_PYTHON, "-m", "loadtests.smoke", *options]
        else:
            command = [".venv/bin/locust", "-f", "loadtests/locustfile.py", "--headless"]
            command += ["--only-summary", *_load_options(plan.stage.load_test), *options]
        # The role's ARN holds the partition as a token; it must stay as it is.
        commands.append(" ".join(word if "${" in word else shlex.quote(word) for word in command))
    return commands


def _load_options(load: LoadTest | None) -> list[str]:
    if load is None:
        return []
    values = {
        "--users": load.users,
        "--request-rate": load.requests_per_second,
        "--seconds": load.seconds,
        "--shape": load.shape,
        "--duplicates": load.duplicates,
        "--bad-requests": load.bad_requests,
        "--max-error-rate": load.max_error_rate,
        "--p95-ms": load.p95_ms,
        "--p99-ms": load.p99_ms,
    }
    return [part for name, value in values.items() for part in (name, str(value))]
