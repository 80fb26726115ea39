"""The delivery pipeline: every source mode, with one and with many sources."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from infra.assembly.app import ROOT
from settings.delivery_pipeline import ARM_BUILD_IMAGE, BUILD_IMAGE
from tests.infra.delivery_support import (
    CONNECTION,
    PIPELINE_ACCOUNT,
    PRODUCTION_ACCOUNT,
    SOURCES,
    STAGING_ACCOUNT,
    DeliveryAssembly,
    assembly_of,
    granted,
    settings,
    synthesize_config,
)
from tests.infra.linting import lint
from tests.infra.policies import written

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[[str, bool], DeliveryAssembly]

COMBINATIONS = [(mode, many) for mode in SOURCES for many in (False, True)]
# What the CDK writes itself, and no setting changes: a DependsOn that is one too many, and
# Fn::Join where the linter would have Fn::Sub.
OF_THE_CDK = {"W3005", "E3703"}


@pytest.mark.parametrize(("mode", "many"), COMBINATIONS)
def test_each_combination_goes_from_source_to_guarded_production(
    make_delivery: Make, mode: str, many: bool
) -> None:
    made = make_delivery(mode, many)
    assert made.pipeline["PipelineType"] == "V2"
    assert made.pipeline["ExecutionMode"] == "SUPERSEDED"
    names = [stage["Name"] for stage in made.pipeline["Stages"]]
    assert names == ["Source", "Build", "UpdatePipeline", "Assets", "dev", "staging", "production"]
    assert made.actions("dev")[-1] == ["Deploy"]
    stack = "MozDef-EF-ingest-{}"
    assert made.actions("staging") == [
        [f"{stack.format('staging')}.Prepare"],
        [f"{stack.format('staging')}.Deploy"],
        ["staging-SmokeTest"],
        ["staging-LoadTest"],
    ]
    assert made.actions("production") == [
        ["Approve-production"],
        [f"{stack.format('production')}.Prepare"],
        [f"{stack.format('production')}.Deploy"],
    ]


@pytest.mark.parametrize(("mode", "many"), COMBINATIONS)
def test_each_combination_passes_cdk_nag_and_cfn_lint(
    make_delivery: Make, mode: str, many: bool
) -> None:
    made = make_delivery(mode, many)
    report = json.loads((made.folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []
    assert {match.rule.id for match in lint(made.template)} <= OF_THE_CDK
    for template in made.stage_templates("staging"):
        assert [str(match) for match in lint(template)] == []


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (
            "connection",
            [
                (
                    "CodeStarSourceConnection",
                    {
                        "ConnectionArn": CONNECTION,
                        "FullRepositoryId": "example/code",
                        "BranchName": "main",
                    },
                )
            ],
        ),
        (
            "token",
            [
                (
                    "GitHub",
                    {
                        "Owner": "example",
                        "Repo": "code",
                        "Branch": "main",
                        "OAuthToken": "{{resolve:secretsmanager:github-token:SecretString:::}}",
                        "PollForSourceChanges": False,
                    },
                )
            ],
        ),
        (
            "codecommit",
            [
                (
                    "CodeCommit",
                    {
                        "RepositoryName": "code",
                        "BranchName": "trunk",
                        "PollForSourceChanges": False,
                    },
                )
            ],
        ),
        (
            "both",
            [
                (
                    "CodeStarSourceConnection",
                    {
                        "ConnectionArn": CONNECTION,
                        "FullRepositoryId": "example/code",
                        "BranchName": "main",
                    },
                ),
                (
                    "CodeCommit",
                    {
                        "RepositoryName": "settings",
                        "BranchName": "main",
                        "PollForSourceChanges": False,
                    },
                ),
            ],
        ),
    ],
)
def test_the_source_actions_are_those_of_the_mode(
    make_delivery: Make, mode: str, expected: list[tuple[str, dict[str, Any]]]
) -> None:
    source = make_delivery(mode, True).pipeline["Stages"][0]
    found = [
        (action["ActionTypeId"]["Provider"], action["Configuration"])
        for action in source["Actions"]
    ]
    assert found == expected


def test_everything_is_checked_before_a_stage_is_touched(make_delivery: Make) -> None:
    made = make_delivery("connection", False)
    check = ".venv/bin/mozdef-ef source check --sources config/sources"
    synthesis = ".venv/bin/python -m infra.assembly.app --delivery --bytecode"
    assert made.commands("Synth") == [
        "make setup",
        ".venv/bin/uv python install 3.13",
        "make lint test",
        ".venv/bin/mozdef-ef config check --config config",
        f"if [ -d config/sources ]; then {check}; fi",
        f"{synthesis} --config config --output cdk.out",
    ]
    assert made.build_spec("Synth")["artifacts"]["base-directory"] == "cdk.out"


def test_the_private_configuration_takes_the_folders_place(delivery: DeliveryAssembly) -> None:
    linked, *commands = delivery.commands("Synth")
    assert linked.endswith('ln -s -- "$CODEBUILD_SRC_DIR_settings_Source" "private-config"')
    merge = ["rm -rf config", "cp -RL private-config config"]
    assert commands[0] == "make setup"
    assert commands[2:5] == ["make lint test", *merge], "the tests are on the shipped"
    assert commands[5].startswith(".venv/bin/mozdef-ef config check")
    for check in ("SmokeTest", "LoadTest"):
        linked, *commands = delivery.commands(check)
        assert linked.endswith('"private-config"')
        assert commands[:3] == ["make setup", *merge]


def test_the_merge_commands_do_what_they_say(delivery: DeliveryAssembly, tmp_path: Path) -> None:
    import subprocess

    artifact, build = tmp_path / "artifact", tmp_path / "build"
    (artifact / "sources" / "alarms").mkdir(parents=True)
    (artifact / "delivery.yaml").write_text("private")
    (build / "config").mkdir(parents=True)
    (build / "config" / "dev.yaml").write_text("shipped")
    linked, _, _, _, *merge = delivery.commands("Synth")[:6]
    subprocess.run(
        ["sh", "-ec", "\n".join([linked, *merge])],
        cwd=build,
        env={"CODEBUILD_SRC_DIR_settings_Source": str(artifact), "PATH": "/usr/bin:/bin"},
        check=True,
    )
    config = build / "config"
    assert not config.is_symlink()
    assert sorted(path.name for path in config.iterdir()) == ["delivery.yaml", "sources"]


def test_the_checks_name_the_stack_and_the_thresholds(make_delivery: Make) -> None:
    made = make_delivery("connection", False)
    role = f"arn:aws:iam::{PIPELINE_ACCOUNT}:role/MozDef-EF-ingest-staging"
    target = (
        f"--stack MozDef-EF-ingest-staging --role-arn {role}-{{}} --aws-region us-west-2 "
        "--private-sources config/sources"
    )
    (smoke,) = made.commands("SmokeTest")[1:]
    assert smoke == f".venv/bin/python -m loadtests.smoke {target.format('smoke')}"
    (load,) = made.commands("LoadTest")[1:]
    assert load.startswith(".venv/bin/locust -f loadtests/locustfile.py --headless")
    assert load.endswith(target.format("load"))
    assert "--shape spike" in load
    assert "--p95-ms 321 --p99-ms 1500 " in load
    assert "--max-error-rate 0.001 " in load


def test_stages_are_deployed_to_their_accounts_and_regions(delivery: DeliveryAssembly) -> None:
    places = {}
    for stage in delivery.pipeline["Stages"]:
        for action in stage["Actions"]:
            if action["Name"].endswith("Deploy"):
                account = written(action["RoleArn"]).split(":iam::")[1].split(":")[0]
                places[stage["Name"]] = (account, action.get("Region", "us-west-2"))
    assert places == {
        "dev": (STAGING_ACCOUNT, "us-west-2"),
        "staging": (STAGING_ACCOUNT, "us-west-2"),
        "production": (PRODUCTION_ACCOUNT, "eu-west-1"),
    }


def test_a_key_is_paid_for_only_where_accounts_differ(
    make_delivery: Make, delivery: DeliveryAssembly
) -> None:
    assert not make_delivery("connection", False).all("AWS::KMS::Key")
    (key,) = delivery.all("AWS::KMS::Key").values()
    assert key["EnableKeyRotation"] is True
    for made in (make_delivery("connection", False), delivery):
        (bucket,) = made.all("AWS::S3::Bucket").values()
        assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 30
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}


def test_no_build_uses_docker_and_each_has_its_runtimes(delivery: DeliveryAssembly) -> None:
    projects = delivery.all("AWS::CodeBuild::Project")
    assert len(projects) == 5
    for project in projects.values():
        # With a date, or AWS would move the tag to a newer image between two builds.
        assert re.fullmatch(
            r"aws/codebuild/standard:7\.0-\d\d\.\d\d\.\d\d", project["Environment"]["Image"]
        )
        assert project["Environment"]["PrivilegedMode"] is False
    for name in ("Synth", "SelfMutation", "SmokeTest", "LoadTest"):
        versions = delivery.build_spec(name)["phases"]["install"]["runtime-versions"]
        assert versions == {"python": "3.11", "nodejs": "22"}


def test_builds_can_be_on_arm(make_delivery: Make) -> None:
    for source, image, kind in (
        ("token", ARM_BUILD_IMAGE, "ARM_CONTAINER"),
        ("connection", BUILD_IMAGE, "LINUX_CONTAINER"),
    ):
        for project in make_delivery(source, False).all("AWS::CodeBuild::Project").values():
            assert (project["Environment"]["Image"], project["Environment"]["Type"]) == (
                image,
                kind,
            )


def test_the_builds_write_logs_that_have_an_end(delivery: DeliveryAssembly) -> None:
    ((group, properties),) = delivery.all("AWS::Logs::LogGroup").items()
    assert properties["RetentionInDays"] == 90
    for project in delivery.all("AWS::CodeBuild::Project").values():
        logs = project["LogsConfig"]["CloudWatchLogs"]
        assert logs == {"GroupName": {"Ref": group}, "Status": "ENABLED"}


def test_the_pipeline_deploys_itself_with_the_locked_command_line(
    delivery: DeliveryAssembly,
) -> None:
    version = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert locked["node_modules/aws-cdk"]["version"] == version
    install, deploy = delivery.commands("SelfMutation")
    assert install == f"npm install -g aws-cdk@{version}"
    assert deploy.startswith("cdk -a . deploy MozDef-EF-delivery --require-approval=never")
    assert delivery.commands("FileAsset")[0] == install


def test_the_stages_share_their_assets_and_each_is_small(
    make_delivery: Make, delivery: DeliveryAssembly
) -> None:
    assets = sorted(path.name for path in delivery.folder.glob("asset.*"))
    assert len(assets) == 3, "code, layer and bills, each once for stages of the same sources"
    again = make_delivery("token", True)
    assert assets == sorted(path.name for path in again.folder.glob("asset.*"))
    assert not list(delivery.folder.glob("assembly-*/asset.*"))


def test_cdk_nag_looks_into_the_stages(tmp_path: Path) -> None:
    from aws_cdk import App, Stack, Stage
    from aws_cdk import aws_sqs as sqs

    from infra.application.checks import add_checks

    app = App(outdir=str(tmp_path), analytics_reporting=False)
    sqs.Queue(Stack(Stage(Stack(app, "Pipeline"), "staging"), "Careless"), "Queue")
    add_checks(app)
    with pytest.raises(RuntimeError, match=r"Validation ?[Ff]ailed"):
        app.synth()


def test_nothing_of_this_machine_is_in_the_templates(delivery: DeliveryAssembly) -> None:
    for template in (delivery.template, *delivery.folder.glob("assembly-*/*.template.json")):
        text = template.read_text()
        assert str(delivery.folder) not in text
        assert "/tmp" not in text


def test_a_stage_with_several_stacks_has_each_checked(layer: Path, tmp_path: Path) -> None:
    stage = {
        "name": "staging",
        "smoke_test": True,
        "settings": ["chat/staging.yaml", "code/staging.yaml"],
    }
    (tmp_path / "delivery.yaml").write_text(yaml.safe_dump(settings("codecommit", [stage])))
    for service in ("chat", "code"):
        (tmp_path / service).mkdir()
        (tmp_path / service / "staging.yaml").write_text(f"service: {service}\nsources: [github]\n")
    synthesize_config(tmp_path, layer)
    made = assembly_of(tmp_path)
    smoke = made.commands("SmokeTest")[1:]
    assert [command.split("--stack ")[1].split()[0] for command in smoke] == [
        "MozDef-EF-chat-staging",
        "MozDef-EF-code-staging",
    ]
    assert "--private-sources config/chat/sources" in smoke[0]
    _, role = made.role("stagingSmokeTestRole")
    targets = {resource for _, resource, _ in granted(role["Policies"][0]["PolicyDocument"])}
    assert len(targets) == 2
    assert len(made.stage_templates("staging")) == 2
