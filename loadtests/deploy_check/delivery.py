"""What the delivery pipeline's roles call, and whether its templates allow it.

What a build's own commands call is recorded where they run (tests). What CodePipeline and CodeBuild
do by themselves follows from the pipeline's actions and projects. Calls of the roles that
`cdk bootstrap` makes are its own matter; that they may be taken is judged, by its own template.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from local.iam.actions import ENCRYPTED, IamPlace
from local.iam.calls import IamCall
from local.iam.model import IamModel
from local.iam.policies import arn_of
from local.template import Template
from pipeline.archive.keys import FAILED_PREFIX, LEDGER_PREFIX, RAW_PREFIX
from settings.stack_outputs import StackOutput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BOOTSTRAP = (
    Path(__file__).parents[2] / "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml"
)
#: What holds of `cdk bootstrap --trust ACCOUNT`, at its strictest; other conditions do not.
_HOLD = {"HasTrustedAccounts", "ShouldDenyExternalId"}
_JUDGED = ("Bootstrap", "EncryptionKey", "LoadTestRole", "SmokeTestRole")
#: Parts of the archive that the smoke test reads.
READ_PREFIXES = (RAW_PREFIX, LEDGER_PREFIX, FAILED_PREFIX)
_DEPLOYS = re.compile(r"arn:.*:role/cdk-[a-z0-9]+-deploy-role-(\d+)-(.+)")
_BUILDS, _PIPELINE = "codebuild.amazonaws.com", "codepipeline.amazonaws.com"
#: AWS CodeBuild User Guide, "Allow CodeBuild to interact with other AWS services".
_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
_OF_BUCKET = ("s3:GetBucketAcl", "s3:GetBucketLocation")
_IN = ("s3:GetObject", "s3:GetObjectVersion")
#: AWS CodePipeline User Guide, permissions by the provider of an action.
_OF_BUILDS = ("codebuild:BatchGetBuilds", "codebuild:StartBuild")
_OF_COMMITS = (
    *("CancelUploadArchive", "GetBranch", "GetCommit", "GetUploadArchiveStatus", "UploadArchive"),
)
#: As REASONS of the application's stack: what CDK Pipelines grants, and nothing called for.
_HANDED_ON = "the CDK's own grant to hand artifacts on: this bucket, and its key"
_GROUPS = "the CDK's own, for a group that CodeBuild makes; the stack's takes its place"
_REPORTS = "the CDK's own, for reports of tests; no build makes any"
REASONS = {
    ("PipelineRole", "[ks][3m]*", "*"): "AWS does not say what CodePipeline does with artifacts",
    **{
        (who, *which): why
        for who in ("Pipeline*Role", "staging*TestRole")
        for which, why in {
            ("[ks][3m]*", "Artifacts*"): _HANDED_ON,
            ("logs:*", "*:log-group:/aws/codebuild/*"): _GROUPS,
            ("codebuild:*Report*", "*:report-group/*"): _REPORTS,
            ("codebuild:BatchPut*", "*:report-group/*"): _REPORTS,
        }.items()
    },
    ("Artifacts", "s3:*", "Artifacts*"): "the CDK's own grant to the bootstrap's role that deploys",
    ("PipelineCodeBuildActionRole", "codebuild:StopBuild", "*"): "who stops an execution",
    ("PipelineAssetsFileRole", "codebuild:*", "[*]"): "the CDK's own: it also is an action's role",
    ("PipelineSource*Role", "codestar-connections:*", "*"): "the CDK's own, by the former name",
    ("PipelineUpdatePipelineSelfMutationRole", "cloudformation:DescribeStacks", "[*]"): (
        "the CDK's own, for a command line that takes on no role"
    ),
    ("PipelineUpdatePipelineSelfMutationRole", "s3:ListBucket", "[*]"): (
        "the CDK's own, for a command line that takes on no role"
    ),
    ("Bootstrap*", "sts:*", "*"): "of `cdk bootstrap`, whose roles are its own matter",
}


def delivery_model(own: Template, stages: Iterable[Template]) -> IamModel:
    """Join the policies of a pipeline, of stages that it checks, and of the accounts' bootstrap.

    Parameters
    ----------
    own : Template
        The pipeline's own stack.
    stages : Iterable[Template]
        Stacks that it deploys, in their own accounts and regions.
    """
    stages = list(stages)
    # A local run reads rules that are schedules; what these do is below.
    resources = own.document["Resources"].items()
    kept = {name: each for name, each in resources if each["Type"] != "AWS::Events::Rule"}
    joined = IamModel.of(replace(own, document={**own.document, "Resources": kept}))
    standing = (*joined.standing, *_services(own))
    found = (_DEPLOYS.fullmatch(each.resource) for each in standing)
    where = dict.fromkeys([(own.account, own.region), *(each.groups() for each in found if each)])
    bootstraps = (_bootstrap(*place, trusted=own.account) for place in where)
    for part in map(IamModel.of, (*stages, *bootstraps)):
        # What a stage's functions may do is judged by their own calls.
        permissions = (each for each in part.permissions if each.holder.startswith(_JUDGED))
        joined = replace(
            joined,
            permissions=(*joined.permissions, *permissions),
            names={**joined.names, **part.names},
            roles={**joined.roles, **part.roles},
            unread={**joined.unread, **part.unread},
            tags={**joined.tags, **part.tags},
        )
    return replace(joined, standing=tuple(dict.fromkeys(joined.with_keys(standing))))


def check_calls(role: str, stage: Template, *, smoke: bool) -> list[IamCall]:
    """Return what a check calls with its role in a stage, by the stage's outputs.

    Parameters
    ----------
    smoke : bool
        Whether it is the smoke test, which looks at what became of its events.
    """
    place, outputs = IamPlace(stage.region, stage.account), stage.outputs()
    stack = str(stage.resolve({"Ref": "AWS::StackId"}))
    called = [IamCall.make(role, "cloudformation:DescribeStacks", stack)]
    for source in json.loads(outputs[StackOutput.SOURCES]).values():
        if "parameter" not in source:
            continue
        parameter = place.arn("ssm", f"parameter/{source['parameter'].lstrip('/')}")
        called.append(IamCall.make(role, "ssm:GetParameter", parameter, {ENCRYPTED: "true"}))
    bucket = f"arn:aws:s3:::{outputs[StackOutput.ARCHIVE_BUCKET_NAME]}"
    for prefix in READ_PREFIXES if smoke else ():
        called.append(IamCall.make(role, "s3:ListBucket", bucket, {"s3:prefix": f"{prefix}one/"}))
        called.append(IamCall.make(role, "s3:GetObject", f"{bucket}/{prefix}one/object"))
    if smoke:
        table = place.arn("dynamodb", f"table/{outputs[StackOutput.DEDUPE_TABLE_NAME]}")
        called.append(IamCall.make(role, "dynamodb:GetItem", table))
    return IamModel.of(stage).with_keys(called)


def _bootstrap(account: str, region: str, *, trusted: str) -> Template:
    """Return who may take the roles that the pinned command line's `cdk bootstrap` makes."""
    document = yaml.safe_load(BOOTSTRAP.read_text(encoding="utf-8"))
    roles = {
        f"Bootstrap{name}": {
            "Type": each["Type"],
            "Properties": {
                key: _decided(each["Properties"][key])
                for key in ("RoleName", "AssumeRolePolicyDocument", "Tags")
                if key in each["Properties"]
            },
        }
        for name, each in document["Resources"].items()
        if each["Type"] == "AWS::IAM::Role"
    }
    parameters = {**document["Parameters"], "TrustedAccounts": {"Default": trusted}}
    return Template({"Parameters": parameters, "Resources": roles}, "CDKToolkit", region, account)


def _decided(value: Any) -> Any:
    if isinstance(value, list):
        return [_decided(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        name, holds, otherwise = value["Fn::If"]
        return _decided(holds if name in _HOLD else otherwise)
    return {name: _decided(each) for name, each in value.items()}


def _services(own: Template) -> Iterator[IamCall]:
    """Return what CodePipeline and CodeBuild call to run the pipeline's actions."""
    bucket = ""
    for pipeline in own.resources("AWS::CodePipeline::Pipeline"):
        given = own.resolve(dict(pipeline.properties))
        role = given["RoleArn"]
        yield IamCall.make(_PIPELINE, "sts:AssumeRole", role, why="to run the pipeline")
        bucket = _artifacts(given, own.region)
        for stage in given["Stages"]:
            for action in stage["Actions"]:
                yield from _action(action, role, bucket, own)
    for rule in own.resources("AWS::Events::Rule"):
        for target in own.resolve(rule.properties["Targets"]):
            events, start = "events.amazonaws.com", "codepipeline:StartPipelineExecution"
            yield IamCall.make(events, "sts:AssumeRole", target["RoleArn"], why=rule.logical_id)
            yield IamCall.make(target["RoleArn"], start, target["Arn"], why=rule.logical_id)


def _artifacts(pipeline: dict[str, Any], region: str) -> str:
    stores = [each["ArtifactStore"] for each in pipeline.get("ArtifactStores", ())]
    regions = [each["Region"] for each in pipeline.get("ArtifactStores", ())]
    store = stores[regions.index(region)] if stores else pipeline["ArtifactStore"]
    return f"arn:aws:s3:::{store['Location']}"


def _action(action: dict[str, Any], pipeline: str, bucket: str, own: Template) -> Iterator[IamCall]:
    role, given, why = action["RoleArn"], action["Configuration"], f"the action {action['Name']}"
    provider = action["ActionTypeId"]["Provider"]
    yield IamCall.make(pipeline, "sts:AssumeRole", role, why=why)
    if provider == "CodeBuild":
        project = own.resource(given["ProjectName"])
        for name in _OF_BUILDS:
            yield IamCall.make(role, name, arn_of(own, project.logical_id), why=why)
        yield from _build(own, project.logical_id, bucket, out=bool(action.get("OutputArtifacts")))
    elif provider == "CodeStarSourceConnection":
        connection = given["ConnectionArn"]
        use = f"{connection.split(':')[2]}:UseConnection"
        yield IamCall.make(role, use, connection, why=why)
    elif provider == "CodeCommit":
        repository = f"arn:aws:codecommit:{own.region}:{own.account}:{given['RepositoryName']}"
        for name in _OF_COMMITS:
            yield IamCall.make(role, f"codecommit:{name}", repository, why=why)
    if action["ActionTypeId"]["Category"] == "Source" and role != pipeline:
        yield IamCall.make(role, "s3:PutObject", f"{bucket}/run/artifact", why=why)


def _build(own: Template, logical_id: str, bucket: str, *, out: bool) -> Iterator[IamCall]:
    given = own.resolve(dict(own.resource(logical_id).properties))
    role, why = given["ServiceRole"], f"the build {logical_id}"
    yield IamCall.make(_BUILDS, "sts:AssumeRole", role, why=why)
    group = given["LogsConfig"]["CloudWatchLogs"]["GroupName"]
    stream = f"arn:aws:logs:{own.region}:{own.account}:log-group:{group}:log-stream:one"
    for name in _LOGS:
        yield IamCall.make(role, name, stream, why=why)
    for name in _OF_BUCKET:
        yield IamCall.make(role, name, bucket, why=why)
    for name in (*_IN, *(["s3:PutObject"] if out else [])):
        yield IamCall.make(role, name, f"{bucket}/run/artifact", why=why)
