"""The settings of a stage: what is taken, and what a wrong file is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from settings.deployment import Deployment, DeploymentError, StreamSettings, load_deployment
from settings.deployment_polling import PollerSettings

CONFIG = Path(__file__).parents[3] / "config"


def write(folder: Path, text: str, name: str = "dev") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return path


def test_minimal_settings() -> None:
    deployment = load_deployment(CONFIG / "dev.yaml")
    assert deployment.stage == "dev"
    assert deployment.stack_name == "MozDef-EF-ingest-dev"
    assert deployment.project_tag == "MozDef-EF-dev"
    assert deployment.sources == ("github", "generic")
    assert deployment.source_directory == CONFIG / "sources"
    # The local runtime takes it for what is written at once: not the minute of the default.
    assert deployment.archiver.batching_window_seconds == 1
    assert deployment.parameter("github", "signing_secret") == (
        "/MozDef-EF/github/dev/signing_secret"
    )


def test_extended_example_says_the_defaults() -> None:
    extended = load_deployment(CONFIG / "extended-example.yaml")
    said = ("stage", "stack", "service", "region", "sources", "source_directory")
    assert extended == Deployment(**{name: getattr(extended, name) for name in said})


def test_extended_example_explains_every_option() -> None:
    text = (CONFIG / "extended-example.yaml").read_text()
    words = {line.strip(" #").partition(":")[0] for line in text.splitlines()}
    assert (options(Deployment) | options(PollerSettings)) - {"stage"} <= words


def test_the_example_of_a_poller_can_be_used(tmp_path: Path) -> None:
    text = (CONFIG / "extended-example.yaml").read_text()
    head, separator, example = text.partition("pollers: {}\n")
    assert separator
    lines = [line.removeprefix("# ").removeprefix("#") for line in example.splitlines()]
    head = head.replace("  - generic\n", "  - generic\n  - github-audit-log\n")
    poller = load_deployment(write(tmp_path, head + "\n".join(lines))).pollers["github-audit-log"]
    assert set(PollerSettings.model_fields) == poller.model_fields_set


def options(model: type[BaseModel]) -> set[str]:
    names = set(model.model_fields)
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names |= options(field.annotation)
    return names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources: [github]", "service: this key is required"),
        ("service: a", "sources: this key is required"),
        ("service: a\nsources: []", "sources: list one source or more"),
        ("service: a\nsources: [x, x]", "sources: x: listed twice"),
        ("service: a\nsources: [Bad_Name]", "sources.0: expected text that matches"),
        ("service: a\nsources: [x]\nservces: b", "servces: unknown key"),
        ("service: a\nsources: [x]\nstage: b", "stage: the stage is the file's name"),
        ("service: a b\nsources: [x]", "service: expected text that matches"),
        ("service: a\nsources: [x]\nstream: 5", "stream: expected a mapping, not 5"),
        (
            "service: a\nsources: [x]\nstream: {mode: provisioned}",
            "stream: 'shards' is set if and only if 'mode' is provisioned",
        ),
        (
            "service: a\nsources: [x]\nstream: {max_record_kib: 8192}",
            "stream.max_record_kib: expected 4096 or less, not 8192",
        ),
        (
            "service: a\nsources: [x]\nfan_out: {batch_size: many}",
            "fan_out.batch_size: expected a whole number, not 'many'",
        ),
        (
            "service: a\nsources: [x]\narchiver: {parallelization_factor: 2}",
            "archiver.parallelization_factor: unknown key",
        ),
        (
            "service: a\nsources: [x]\narchive: {rejected_days: 7}",
            "archive.rejected_days: expected 14 or more, not 7",
        ),
        (
            "service: a\nsources: [x]\narchive: {raw_days: 100}",
            "archive: 'raw_days' is 90 days or more beyond 'cold_after_days'",
        ),
        ("[a, b]", "expected a mapping with at least 'service' and 'sources'"),
        ("a: [", "not readable as YAML: while parsing"),
    ],
)
def test_a_wrong_file_is_told_file_key_and_what_was_expected(
    tmp_path: Path, text: str, said: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DeploymentError) as raised:
        load_deployment(path)
    lines = str(raised.value).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"{path}: ")
    assert said in lines[0]


def test_each_fault_has_a_line_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, "sources: [x]\nthrottle: {rate: 0, burst: -1}\nother: 1\n")
    with pytest.raises(DeploymentError) as raised:
        load_deployment(path)
    keys = [line.split(": ")[1] for line in str(raised.value).splitlines()]
    assert sorted(keys) == ["other", "service", "throttle.burst", "throttle.rate"]


def test_a_stage_that_is_no_name_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "service: a\nsources: [x]", name="not_a_stage")
    with pytest.raises(DeploymentError, match="the file's name is the stage"):
        load_deployment(path)


def test_a_file_that_is_not_there_is_told_which_are(tmp_path: Path) -> None:
    write(tmp_path, yaml.safe_dump({"service": "a", "sources": ["x"]}), name="production")
    with pytest.raises(DeploymentError, match=r"no such file; stages in .*: production"):
        load_deployment(tmp_path / "staging.yaml")


@pytest.mark.parametrize(
    ("hours", "seconds"), [(24, 74_057), (168, 518_400), (196, 604_800), (8_760, 604_800)]
)
def test_records_are_given_up_before_the_stream_forgets_them(hours: int, seconds: int) -> None:
    assert (
        StreamSettings(retention_hours=hours).maximum_record_age_seconds == seconds < hours * 3_600
    )
