"""The settings of pollers: what is taken, and what wrong ones are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.assembly.app import synthesize
from settings.deployment import Deployment, DeploymentError, load_deployment
from settings.poll_targets import PollTarget, poll_targets
from settings.source.loader import load_sources
from tests.infra.polled_sources import AUDIT, VARIABLES, settings, write_sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_sources(tmp_path)


def targets_of(folder: Path, pollers: dict[str, Any]) -> dict[str, PollTarget]:
    deployment = settings(folder, pollers)
    sources = load_sources(deployment.sources, deployment.source_directory)
    return {target.source: target for target in poll_targets(deployment, sources)}


def test_settings_of_the_stage_go_before_those_of_the_source(folder: Path) -> None:
    found = targets_of(
        folder,
        {
            "audit": {
                "base_url": "https://onsite.example.com:8443/audit/",
                "variables": {"org": "our-org"},
                "start_hours_ago": 0,
                "every_minutes": 60,
            }
        },
    )
    assert found["audit"] == PollTarget(
        source="audit",
        base_url="https://onsite.example.com:8443/audit",
        variables={"org": "our-org"},
        start_hours_ago=0,
        every_minutes=60,
        feeds=("changes", "logins"),
    )
    assert found["plain"].every_minutes == 1


@pytest.mark.parametrize(
    ("pollers", "faults"),
    [
        (
            {},
            [
                "audit.variables.domain: this key is required: your domain, such as a.example",
                "audit.variables.org: this key is required: the name of the organization",
            ],
        ),
        (
            {"audit": {"variables": {**VARIABLES, "tenant": "x"}}},
            ["audit.variables.tenant: the source has no such variable; it has: domain, org"],
        ),
        (
            {"audit": {"variables": VARIABLES}, "plain": {"variables": {"org": "x"}}},
            ["plain.variables.org: the source has no such variable; it has: none"],
        ),
        (
            {"audit": {"variables": VARIABLES}, "generic": {}},
            ["generic: the source is not polled; its source.yaml has no 'ingest: poll'"],
        ),
    ],
)
def test_what_does_not_fit_the_source_is_told(
    folder: Path, pollers: dict[str, Any], faults: list[str]
) -> None:
    with pytest.raises(DeploymentError) as raised:
        targets_of(folder, pollers)
    assert str(raised.value).splitlines() == [f"test.yaml: pollers.{fault}" for fault in faults]


def test_synthesis_refuses_it(folder: Path, layer: Path, tmp_path: Path) -> None:
    deployment = settings(folder, {})
    sources = load_sources(deployment.sources, deployment.source_directory)
    with pytest.raises(DeploymentError, match=r"pollers\.audit\.variables\.domain: this key"):
        synthesize(deployment, sources, tmp_path, layer=layer)


def test_more_settings_than_an_environment_holds_are_refused(layer: Path, tmp_path: Path) -> None:
    many = tmp_path / "sources"
    names = tuple(f"audit-{number}" for number in range(30))
    for name in names:
        (many / name).mkdir(parents=True)
        (many / name / "source.yaml").write_text(AUDIT)
    deployment = Deployment.model_validate(
        {
            "stage": "test",
            "service": "ingest",
            "sources": names,
            "source_directory": many,
            "pollers": {name: {"variables": VARIABLES} for name in names},
        }
    )
    sources = load_sources(deployment.sources, deployment.source_directory)
    with pytest.raises(DeploymentError, match="30 polled sources: their settings do not fit"):
        synthesize(deployment, sources, tmp_path / "out", layer=layer)


@pytest.mark.parametrize(
    ("pollers", "said"),
    [
        ("{other: {}}", "pollers.other: list it under 'sources', too"),
        ("{x: {base: y}}", "pollers.x.base: unknown key"),
        ("{x: {variables: {org: a/b}}}", "pollers.x.variables.org: expected text that matches"),
        ("{x: {variables: {org: ..}}}", "pollers.x.variables.org: expected text that matches"),
        ("{x: {variables: {org: ''}}}", "pollers.x.variables.org: expected text that matches"),
        (r'{x: {variables: {org: "a\n"}}}', "pollers.x.variables.org: expected text that matches"),
        ("{x: {variables: {ORG: a}}}", "pollers.x.variables.ORG: expected text that matches"),
        ("{x: {base_url: 'ftp://h'}}", "pollers.x.base_url: expected text that matches"),
        ("{x: {base_url: 'https://u:p@h'}}", "pollers.x.base_url: expected text that matches"),
        ("{x: {base_url: 'https://h/a/../b'}}", "pollers.x.base_url: expected text that matches"),
        ("{x: {base_url: 'https://h?q=1'}}", "pollers.x.base_url: expected text that matches"),
        ("{x: {base_url: 'https://{org}.h'}}", "pollers.x.base_url: expected text that matches"),
        ("{x: {base_url: 'https://h:99999'}}", "pollers.x.base_url: no such port"),
        ("{x: {base_url: 'http://example.com'}}", "pollers.x.base_url: use https"),
        ("{x: {base_url: 'http://127.0.0.1.example.com'}}", "pollers.x.base_url: use https"),
        ("{x: {base_url: 'http://0.0.0.0'}}", "pollers.x.base_url: use https"),
        ("{x: {every_minutes: 0}}", "pollers.x.every_minutes: expected 1 or more"),
        ("{x: {start_hours_ago: -1}}", "pollers.x.start_hours_ago: expected 0 or more"),
    ],
)
def test_wrong_settings_are_told_when_they_are_read(
    tmp_path: Path, pollers: str, said: str
) -> None:
    path = tmp_path / "dev.yaml"
    path.write_text(f"service: a\nsources: [x]\npollers: {pollers}\n")
    with pytest.raises(DeploymentError) as raised:
        load_deployment(path)
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{path}: {said}")


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8080", "http://localhost:1/api"])
def test_this_machine_needs_no_encryption(tmp_path: Path, base_url: str) -> None:
    path = tmp_path / "dev.yaml"
    path.write_text(f"service: a\nsources: [x]\npollers: {{x: {{base_url: '{base_url}'}}}}\n")
    assert load_deployment(path).pollers["x"].base_url == base_url
