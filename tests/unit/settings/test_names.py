"""Names of stacks and of what is in them: what is refused, with file and key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from settings.config_check import check_config
from settings.deployment import DeploymentError, load_deployment

if TYPE_CHECKING:
    from pathlib import Path

DELIVERY = """\
account: "111111111111"
region: us-west-2
source: {{mode: codecommit, repository: code}}
stages:
  - {{name: one, settings: [one.yaml], account: "{}"}}
  - {{name: two, settings: [two.yaml], account: "222222222222"}}
"""


def write(folder: Path, stage: str, text: str = "service: ingest\n") -> Path:
    path = folder / f"{stage}.yaml"
    path.write_text(f"{text}sources: [github]\n")
    return path


@pytest.mark.parametrize(
    ("stage", "text", "key"),
    [
        ("c", "service: a-b\n", "service"),
        ("b-c", "service: a\n", "stage"),
        ("dev", "service: Ingest\n", "service"),
        ("Dev", "service: ingest\n", "stage"),
        ("dev", "service: delivery\n", "service"),
        ("dev", "service: ingest\nproject: MozDef-ef\n", "project"),
        ("dev", "service: ingest\nproject: MozDef-\n", "project"),
        ("dev", "service: ingest\nproject: AWS-Sec\n", "project"),
        ("dev", "service: ingest\nproject: aws\n", "project"),
        ("dev", "service: ingest\nproject: ssmEvents\n", "project"),
        ("dev", "service: ingest\nproject: SSM\nstack: old\n", "project"),
    ],
)
def test_a_part_that_makes_names_ambiguous_or_refused_is_a_fault_of_its_key(
    tmp_path: Path, stage: str, text: str, key: str
) -> None:
    path = write(tmp_path, stage, text)
    (fault,) = check_config(tmp_path).faults
    assert (fault.file, fault.key) == (str(path), key)
    with pytest.raises(DeploymentError, match="expected"):
        load_deployment(path)


@pytest.mark.parametrize("project", ["MozDef-EF", "Acme", "acme", "Acme-Sec-S2"])
def test_a_project_may_have_words(tmp_path: Path, project: str) -> None:
    write(tmp_path, "dev", f"service: ingest\nproject: {project}\n")
    assert check_config(tmp_path).faults == []


def test_a_stack_that_was_deployed_before_keeps_its_name(tmp_path: Path) -> None:
    text = "service: my-hooks\nproject: my-org\nstack: my-org-my-hooks-eu-prod\n"
    path = write(tmp_path, "eu-prod", text)
    assert check_config(tmp_path).faults == []
    assert load_deployment(path).stack_name == "my-org-my-hooks-eu-prod"


@pytest.mark.parametrize(
    ("one", "two", "key"),
    [
        ("service: a-b\nstack: P-a-b\n", "service: a\nstack: p-A\n", "stack"),
        ("service: ingest\nstack: MozDef-EF-ingest-two-x\n", "service: ingest\n", "stack"),
        ("service: ingest\nstack: same\n", "service: ingest\nstack: same\n", "stack"),
        (
            "service: ingest\nqueues: {github: {full_name: MozDef-EF-ingest-two-github}}\n",
            "service: ingest\n",
            "queues.github.full_name",
        ),
        (
            "service: ingest\nqueues: {github: {full_name: q}}\n",
            "service: ingest\nqueues: {github: {full_name: q}}\n",
            "queues.github.full_name",
        ),
    ],
)
def test_stacks_beside_each_other_cannot_take_each_others_names(
    tmp_path: Path, one: str, two: str, key: str
) -> None:
    path = write(tmp_path, "one", one)
    write(tmp_path, "two", two)
    faults = check_config(tmp_path).faults
    assert (str(path), key) in {(fault.file, fault.key) for fault in faults}
    # Where they are is known of a delivery pipeline.
    (tmp_path / "delivery.yaml").write_text(DELIVERY.format("2" * 12))
    assert {(f.file, f.key, f.expected) for f in check_config(tmp_path).faults} == {
        (f.file, f.key, f.expected) for f in faults
    }
    (tmp_path / "delivery.yaml").write_text(DELIVERY.format("1" * 12))
    assert check_config(tmp_path).faults == []


@pytest.mark.parametrize(
    ("queues", "key"),
    [
        ("{github: {full_name: MozDef-EF-ingest-dev-old}, old: {keep: true}}", "queues.old"),
        ("{github: {full_name: x-redrive}}", "queues.github"),
        (f"{{{'q' * 10}: {{keep: true}}}}\nstack: {'P' * 62}\n", "queues.qqq"),
        ("{a b: {keep: true}}", "queues.a b"),
        ("{old: {retention_days: 14}}", "queues.old"),
    ],
)
def test_a_queue_that_cannot_be_is_refused_before_a_synthesis(
    tmp_path: Path, queues: str, key: str
) -> None:
    path = write(tmp_path, "dev", f"service: ingest\nqueues: {queues}\n")
    (fault,) = check_config(tmp_path).faults
    assert fault.file == str(path)
    assert fault.key.startswith(key)
