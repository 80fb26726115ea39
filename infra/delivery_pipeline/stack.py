"""The delivery pipeline: CDK Pipelines, from a repository through the stages to production."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import Duration, Environment, RemovalPolicy, Stack, Stage, Tags, pipelines
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

from infra.application.stack import ApplicationStack
from infra.delivery_pipeline.checks import add_target_role
from infra.delivery_pipeline.findings import acknowledge_findings
from infra.delivery_pipeline.publishing import publish_with_the_command_line
from infra.delivery_pipeline.sources import allow_connections, find_sources
from infra.delivery_pipeline.steps import build_defaults, check_steps, synth_step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from constructs import Construct

    from infra.application.packages import FunctionAssets
    from infra.delivery_pipeline.checks import Check
    from settings.delivery_pipeline import DeliverySettings
    from settings.delivery_stages import PlannedStack, StagePlan
    from settings.source.loader import LoadedSource

ARTIFACT_DAYS = 30
LOG_RETENTION = logs.RetentionDays.THREE_MONTHS


@dataclass(frozen=True)
class StackParts:
    """What a stack of a stage is made of."""

    planned: PlannedStack
    sources: Mapping[str, LoadedSource]
    assets: FunctionAssets


class DeliveryStack(Stack):
    """The pipeline's own stack; it deploys itself first and then each stage.

    Parameters
    ----------
    stages : Sequence[tuple[StagePlan, Sequence[StackParts]]]
        The stages in order, each with the parts of its stacks.
    cli_version : str
        The version of the CDK's command line with which the pipeline deploys itself.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        delivery: DeliverySettings,
        stages: Sequence[tuple[StagePlan, Sequence[StackParts]]],
        cli_version: str,
    ) -> None:
        super().__init__(
            scope,
            delivery.stack_name,
            stack_name=delivery.stack_name,
            env=Environment(account=delivery.account, region=delivery.region),
            description=f"{delivery.project}: the delivery pipeline",
        )
        Tags.of(self).add("Project", delivery.project)
        self._delivery = delivery
        self._sources = find_sources(self, delivery)
        self._pipeline = self._make_pipeline(stages, cli_version)
        made = [self._add_stage(plan, parts) for plan, parts in stages]
        self._pipeline.build_pipeline()
        publish_with_the_command_line(self._pipeline, made, cli_version)
        allow_connections(self._pipeline, delivery)
        acknowledge_findings(self)

    def _make_pipeline(
        self, stages: Sequence[tuple[StagePlan, Sequence[StackParts]]], cli_version: str
    ) -> pipelines.CodePipeline:
        folders = {
            part.planned.sources_in(self._delivery.config_folder)
            for _, parts in stages
            for part in parts
        }
        return pipelines.CodePipeline(
            self,
            "Pipeline",
            pipeline_name=self._delivery.stack_name,
            pipeline_type=codepipeline.PipelineType.V2,
            # A newer commit takes the place of one that waits before a stage, so that no queue of
            # outdated approvals builds up. One that is in a stage goes to the stage's end.
            execution_mode=codepipeline.ExecutionMode.SUPERSEDED,
            synth=synth_step(self._sources, sorted(folders)),
            self_mutation=True,
            cli_version=cli_version,
            artifact_bucket=self._artifacts(),
            cross_account_keys=self._delivery.crosses_accounts,
            enable_key_rotation=True if self._delivery.crosses_accounts else None,
            publish_assets_in_parallel=False,
            code_build_defaults=build_defaults(self._delivery, self._logs()),
        )

    def _logs(self) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "BuildLogs",
            retention=LOG_RETENTION,
            # They outlive the stack, and go by themselves when the retention is over.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )

    def _artifacts(self) -> s3.Bucket:
        """Return the bucket between the actions.

        Another account can read it only if it is encrypted with a key of its own, which costs a
        dollar a month; without another account S3's own key does.
        """
        key = None
        if self._delivery.crosses_accounts:
            key = kms.Key(
                self,
                "ArtifactsKey",
                description=f"Artifacts of {self._delivery.stack_name}",
                enable_key_rotation=True,
                removal_policy=RemovalPolicy.DESTROY,
            )
        return s3.Bucket(
            self,
            "Artifacts",
            encryption_key=key,
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            bucket_key_enabled=True if key else None,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            # What is in it can be built again; but CloudFormation deletes no bucket with objects.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="expire",
                    expiration=Duration.days(ARTIFACT_DAYS),
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                )
            ],
        )

    def _add_stage(self, plan: StagePlan, parts: Sequence[StackParts]) -> Stage:
        stage = Stage(
            self,
            plan.stage.name,
            env=Environment(
                account=self._delivery.account_of(plan.stage), region=self._delivery.region
            ),
        )
        for part in parts:
            self._add_stack(stage, plan, part)
        approval = [
            pipelines.ManualApprovalStep(
                f"Approve-{plan.stage.name}", comment=f"Deploy to {plan.stage.name}?"
            )
        ]
        self._pipeline.add_stage(
            stage,
            pre=approval if plan.stage.approval else None,
            post=check_steps(self, delivery=self._delivery, plan=plan, sources=self._sources),
        )
        return stage

    def _add_stack(self, stage: Stage, plan: StagePlan, part: StackParts) -> None:
        deployment = part.planned.deployment
        stack = ApplicationStack(
            stage, deployment=deployment, sources=part.sources, assets=part.assets
        )
        wanted: dict[Check, bool] = {
            "smoke": plan.stage.smoke_test,
            "load": plan.stage.load_test is not None,
        }
        for check in (check for check, is_wanted in wanted.items() if is_wanted):
            add_target_role(
                stack,
                check=check,
                delivery=self._delivery,
                stage=plan.stage,
                deployment=deployment,
                sources=part.sources,
            )
