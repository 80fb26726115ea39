"""The tables of what stays when a stack is deleted, against the templates of all variants.

What stays is derived from the templates: resources that are retained, and what AWS or an operator
makes beside a stack of such a form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.delivery_pipeline.test_delivery import COMBINATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.conftest import Synthesized
    from tests.infra.delivery_support import DeliveryAssembly

PAGE = Path(__file__).parents[3] / "docs" / "deploying.md"
Document = Mapping[str, Any]
RETAINED = {"Retain", "RetainExceptOnCreate"}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table whose head begins so."""
    (table,) = re.findall(
        rf"^\| {re.escape(heading)} \|\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE.read_text(), re.MULTILINE
    )
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]


def kind_of(document: Document) -> str:
    types = {each["Type"] for each in document["Resources"].values()}
    if "AWS::CodePipeline::Pipeline" in types:
        return "the pipeline"
    return "a stage" if "AWS::Kinesis::Stream" in types else "another region"


def retained(document: Document) -> set[tuple[str, str]]:
    return {
        (kind_of(document), each["Type"])
        for each in document["Resources"].values()
        if each.get("DeletionPolicy") in RETAINED
    }


def of_type(document: Document, kind: str) -> list[dict[str, Any]]:
    found = document["Resources"].values()
    return [each.get("Properties", {}) for each in found if each["Type"] == kind]


def has_action(provider: str) -> Callable[[Document], bool]:
    """Tell whether a pipeline has a source action of a provider."""

    def has(document: Document) -> bool:
        return any(
            action["ActionTypeId"]["Provider"] == provider
            for pipeline in of_type(document, "AWS::CodePipeline::Pipeline")
            for stage in pipeline["Stages"]
            for action in stage["Actions"]
        )

    return has


BESIDE: dict[str, Callable[[Document], bool]] = {
    "SSM parameters": lambda document: "ssm:GetParameter" in json.dumps(document),
    "`/aws/apigateway/welcome`": lambda document: bool(
        of_type(document, "AWS::ApiGateway::Account")
    ),
    "`CDKToolkit`": lambda document: "BootstrapVersion" in document.get("Parameters", {}),
    "certificate and DNS records": lambda document: bool(
        of_type(document, "AWS::ApiGateway::DomainName")
        or of_type(document, "AWS::ApiGatewayV2::DomainName")
    ),
    "connection to GitHub": has_action("CodeStarSourceConnection"),
    "secret with GitHub's token": lambda document: "resolve:secretsmanager" in json.dumps(document),
    "repositories in CodeCommit": has_action("CodeCommit"),
}


@pytest.fixture(scope="module")
def documents(
    stack: Synthesized,
    everything: Synthesized,
    received: Synthesized,
    other: Synthesized,
    make_delivery: Callable[[str, bool], DeliveryAssembly],
) -> list[Document]:
    made = [make_delivery(mode, many) for mode, many in COMBINATIONS]
    paths = {path for each in made for path in each.folder.rglob("*.template.json")}
    found = [json.loads(path.read_text()) for path in sorted(paths)]
    one = [each.document for each in (stack, everything, received, other)]
    return [*one, *found]


def in_the_page() -> Iterator[tuple[str, str]]:
    for _, of, resources, why, how in rows("what | of | resources | why | to remove it"):
        assert why
        assert how
        for kind in re.findall(r"`(AWS::\w+::\w+)`", resources):
            yield of, kind


def test_there_are_templates_of_each_kind(documents: list[Document]) -> None:
    assert {kind_of(each) for each in documents} == {"a stage", "the pipeline", "another region"}


def test_the_page_lists_what_is_retained_and_nothing_else(documents: list[Document]) -> None:
    derived = set[tuple[str, str]]().union(*map(retained, documents))
    assert set(in_the_page()) == derived


def test_the_page_lists_what_is_made_beside_a_stack(documents: list[Document]) -> None:
    listed = [what for what, when, how in rows("what | when | to remove it") if when and how]
    assert len(listed) == len(BESIDE)
    for words, is_made in BESIDE.items():
        assert any(map(is_made, documents)), f"{words}: in no template"
        assert any(words in what for what in listed), words


def groups_of(document: Document) -> set[str]:
    resources = document["Resources"].items()
    return {name for name, each in resources if each["Type"] == "AWS::Logs::LogGroup"}


def names_own_group(document: Document, settings: Any) -> bool:
    """Tell whether settings refer to a log group of the same template."""
    text = json.dumps(settings)
    return any(f'"{name}"' in text for name in groups_of(document))


def test_aws_makes_no_log_group_of_its_own(documents: list[Document]) -> None:
    """Such a group has neither an end nor a key, and no stack knows of it."""
    settings_of = {
        "AWS::Lambda::Function": "LoggingConfig",
        "AWS::CodeBuild::Project": "LogsConfig",
        "AWS::StepFunctions::StateMachine": "LoggingConfiguration",
        "AWS::ApiGateway::Stage": "AccessLogSetting",
        "AWS::ApiGatewayV2::Stage": "AccessLogSettings",
    }
    seen = set()
    for document in documents:
        for kind, name in settings_of.items():
            for properties in of_type(document, kind):
                seen.add(kind)
                assert names_own_group(document, properties.get(name)), f"{kind}: {properties}"
        for stage in of_type(document, "AWS::ApiGateway::Stage"):
            names = [json.dumps(each.get("LogGroupName"))
                     for each in of_type(document, "AWS::Logs::LogGroup")]  # fmt: skip
            own = [each for each in names if "API-Gateway-Execution-Logs_" in each]
            assert len(own) == 1
            assert f"/{stage['StageName']}" in own[0]
    assert seen == set(settings_of)


def test_every_group_has_an_end_and_stays(documents: list[Document]) -> None:
    for document in documents:
        for each in document["Resources"].values():
            if each["Type"] == "AWS::Logs::LogGroup":
                assert each["Properties"]["RetentionInDays"]
                assert each["DeletionPolicy"] in RETAINED


def test_a_key_that_goes_with_its_stack_waits_as_long_as_the_page_says(
    documents: list[Document],
) -> None:
    assert "waits 30 days for its deletion" in PAGE.read_text()
    gone = [
        each["Properties"]
        for document in documents
        for each in document["Resources"].values()
        if each["Type"] == "AWS::KMS::Key" and each.get("DeletionPolicy") not in RETAINED
    ]
    assert gone
    # CloudFormation's default.
    assert {key.get("PendingWindowInDays", 30) for key in gone} == {30}
