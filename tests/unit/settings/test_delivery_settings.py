"""The settings of the delivery pipeline: what is taken, and what a wrong file is told."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from settings.delivery_pipeline import BothSource, DeliverySettings, GitHubSource, LoadTest
from settings.delivery_stages import DeliverySettingsError, load_delivery, plan_stages

CONFIG = Path(__file__).parents[3] / "config"
CONNECTION = (
    "arn:aws:codeconnections:us-west-2:111111111111:connection/00000000-0000-4000-8000-000000000000"
)


def minimal(**changes: Any) -> dict[str, Any]:
    return {
        "account": "111111111111",
        "region": "us-west-2",
        "source": {"mode": "github", "repository": "example/code", "connection_arn": CONNECTION},
        "stages": [{"name": "staging"}],
        **changes,
    }


def write(folder: Path, document: Any) -> Path:
    path = folder / "delivery.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(DeliverySettingsError) as raised:
        load_delivery(path)
    lines = str(raised.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


def test_minimal_settings(tmp_path: Path) -> None:
    delivery = load_delivery(write(tmp_path, minimal()))
    assert isinstance(delivery.source, GitHubSource)
    assert delivery.source.branch == "main"
    assert delivery.stack_name == "MozDef-EF-delivery"
    assert delivery.config_folder == "config"
    assert not delivery.crosses_accounts
    (stage,) = delivery.stages
    assert stage.files == ("staging.yaml",)
    assert (stage.approval, stage.smoke_test, stage.load_test) == (False, False, None)


def test_the_example_says_the_defaults_and_explains_every_option() -> None:
    path = CONFIG / "delivery-example.yaml"
    delivery = load_delivery(path)
    assert isinstance(delivery.source, BothSource)
    assert delivery.crosses_accounts
    dev, staging, production = delivery.stages
    assert (dev.name, staging.load_test, production.approval) == ("dev", LoadTest(), True)
    words = {line.strip().lstrip("#- ").partition(":")[0] for line in path.read_text().splitlines()}
    assert options(DeliverySettings) <= words


def test_the_minimal_settings_in_the_example_are_enough(tmp_path: Path) -> None:
    text = (CONFIG / "delivery-example.yaml").read_text()
    said = [line[1:] for line in text.split("least that is enough:\n#\n")[1].splitlines()]
    block = "\n".join(said[: said.index("")]).replace("00000000-…", CONNECTION.rpartition("/")[2])
    assert len(load_delivery(write(tmp_path, block)).stages) == 2


def options(model: type[BaseModel]) -> set[str]:
    names = set(model.model_fields)
    for field in model.model_fields.values():
        for kind in models(field.annotation):
            names |= options(kind)
    return names


def models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models(part)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"account": 111111111111}, "account: expected text; put it in quotes"),
        ({"account": "1"}, "account: expected text that matches"),
        ({"region": "nowhere"}, "region: expected text that matches"),
        ({"acount": "1"}, "acount: unknown key"),
        ({"stages": []}, "stages: list one stage or more"),
        ({"stages": [{"name": "a"}, {"name": "a"}]}, "stages: a: listed twice"),
        (
            {"stages": [{"name": "production"}]},
            "stages.0.approval: the stage 'production' is deployed after",
        ),
        (
            {"stages": [{"name": "a", "settings": ["b.yaml"]}]},
            "stages.0.settings.0: b.yaml: a stage",
        ),
        ({"stages": [{"name": "a", "settings": ["../a.yaml"]}]}, "stages.0.settings: '../a.yaml'"),
        ({"stages": [{"name": "a", "settings": ["/a.yaml"]}]}, "stages.0.settings: '/a.yaml'"),
        ({"stages": [{"name": "a", "settings": ["a.yaml"] * 2}]}, "stages.0.settings: a file is"),
        (
            {"stages": [{"name": "a", "load_test": {"users": 0}}]},
            "stages.0.load_test.users: expected 1 or more, not 0",
        ),
        (
            {"stages": [{"name": "a", "load_test": {"duplicates": 0.9, "bad_requests": 0.2}}]},
            "stages.0.load_test: 'duplicates' and 'bad_requests' are shares",
        ),
        ({"source": {"repository": "a/b"}}, "source.mode: this key is required"),
        (
            {"source": {"mode": "ftp"}},
            "source.mode: expected one of 'github', 'codecommit', 'both', not 'ftp'",
        ),
        ({"source": {"mode": "github", "repository": "a/b"}}, "source: give either"),
        (
            {"source": {"mode": "github", "repository": "a", "token_secret": "t"}},
            "source.repository: expected text that matches",
        ),
        (
            {"source": {"mode": "github", "repository": "a/b", "connection_arn": "arn"}},
            "source.connection_arn: expected text that matches",
        ),
        (
            {"source": {"mode": "codecommit", "repository": "$(x)"}},
            "source.repository: expected text",
        ),
        (
            {"source": {"mode": "codecommit", "repository": "x", "branch": "a b; ls"}},
            "source.branch: expected text that matches",
        ),
        ({"config_folder": "infra"}, "config_folder: 'infra' is a folder of the framework"),
        ({"config_folder": "../x"}, "config_folder: expected text that matches"),
        (
            {
                "source": {
                    "mode": "both",
                    "framework": {"provider": "codecommit", "repository": "x"},
                    "configuration": {"provider": "codecommit", "repository": "x"},
                }
            },
            "source: framework and configuration are one repository",
        ),
        (
            {"source": {"mode": "both", "framework": {"provider": "codecommit"}}},
            "source.framework.repository: this key is required",
        ),
    ],
)
def test_a_wrong_file_is_told_key_and_what_was_expected(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    lines = faults(write(tmp_path, minimal(**changes)))
    assert any(line.startswith(said) for line in lines), lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not readable as YAML"),
        ("[a]", "expected a mapping"),
        ("1: 2", "expected a mapping"),
    ],
)
def test_what_is_no_mapping_is_told(tmp_path: Path, text: str, said: str) -> None:
    (line,) = faults(write(tmp_path, text))
    assert line.startswith(said)


def test_a_missing_file_is_told_where_to_begin(tmp_path: Path) -> None:
    (line,) = faults(tmp_path / "delivery.yaml")
    assert "begin with a copy of delivery-example.yaml" in line


def test_a_stage_takes_region_and_account_from_where_they_are_said(tmp_path: Path) -> None:
    for name, region in (("one", ""), ("two", "region: eu-west-1\n"), ("three", "")):
        (tmp_path / f"{name}.yaml").write_text(f"{region}service: a\nsources: [github]\n")
    stages = [
        {"name": "one"},
        {"name": "two", "account": "222222222222"},
        {"name": "three", "region": "eu-north-1"},
    ]
    path = write(tmp_path, minimal(stages=stages))
    delivery = load_delivery(path)
    plans = plan_stages(delivery, path)
    regions = [plan.stacks[0].deployment.region for plan in plans]
    assert regions == ["us-west-2", "eu-west-1", "eu-north-1"]
    assert [delivery.account_of(plan.stage) for plan in plans] == [
        "111111111111",
        "222222222222",
        "111111111111",
    ]
    assert delivery.crosses_accounts
    assert plans[0].stacks[0].sources_in("settings") == "settings/sources"


def test_a_stage_whose_two_files_disagree_on_the_region_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("region: eu-west-1\nservice: a\nsources: [github]\n")
    path = write(tmp_path, minimal(stages=[{"name": "one", "region": "us-west-2"}]))
    with pytest.raises(DeliverySettingsError, match=r"stages\.0\.region: us-west-2, but"):
        plan_stages(load_delivery(path), path)


def test_a_stage_may_have_several_stacks_but_not_the_same_twice(tmp_path: Path) -> None:
    for folder, service in (("chat", "chat"), ("code", "code"), ("again", "code")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.yaml").write_text(
            f"service: {service}\nsources: [github]\nsource_directory: ../sources\n"
        )
    files = ["chat/one.yaml", "code/one.yaml"]
    path = write(tmp_path, minimal(stages=[{"name": "one", "settings": files}]))
    (plan,) = plan_stages(load_delivery(path), path)
    assert [stack.deployment.stack_name for stack in plan.stacks] == [
        "MozDef-EF-chat-one",
        "MozDef-EF-code-one",
    ]
    assert {stack.sources_in("config") for stack in plan.stacks} == {"config/sources"}
    write(tmp_path, minimal(stages=[{"name": "one", "settings": [*files, "again/one.yaml"]}]))
    with pytest.raises(DeliverySettingsError, match="two files give the stack MozDef-EF-code-one"):
        plan_stages(load_delivery(path), path)
