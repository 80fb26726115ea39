"""`source new --enable`: one entry more in a stage's list, and no byte else is another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from settings.deployment import load_deployment
from toolbox.sources.enabling import enable
from toolbox.sources.scaffolding import ScaffoldError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("sources: [github, generic] # two\n", "sources: [github, generic, watch] # two\n"),
        ("sources: []\n", "sources: [watch]\n"),
        ("sources: [\n  github,\n  zoom # z\n]\nb: 1\n",
         "sources: [\n  github,\n  zoom # z\n, watch]\nb: 1\n"),
        ("a: ü\nsources:\n  - github # g\n  - zoom # z\n# c\nb: 1\n",
         "a: ü\nsources:\n  - github # g\n  - zoom # z\n  - watch\n# c\nb: 1\n"),
        ("sources:\n- github", "sources:\n- github\n- watch"),
    ],
)  # fmt: skip
def test_an_entry_is_added_in_the_form_of_the_list(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "dev.yaml"
    file.write_text(before)
    assert enable(file, "watch")
    assert file.read_text() == after
    assert yaml.safe_load(after)["sources"][-1] == "watch"
    assert not enable(file, "watch")
    assert file.read_text() == after


@pytest.mark.parametrize(
    "text",
    ["sources: [github,]\n", "sources: &a [x]\nb: *a\n", "a: 1\n", "[", "- a\n", "sources: a"],
)
def test_what_is_not_understood_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    file = tmp_path / "dev.yaml"
    file.write_text(text)
    with pytest.raises(ScaffoldError, match="add watch to 'sources' there"):
        enable(file, "watch")
    assert file.read_text() == text


def test_the_first_source_makes_the_first_stage(tmp_path: Path) -> None:
    file = tmp_path / "dev.yaml"
    assert enable(file, "github")
    assert load_deployment(file).sources == ("github",)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "production.yaml").write_text("service: ingest\nsources: [github]\n")
    with pytest.raises(ScaffoldError, match=r"No such file.*; add watch to 'sources' there"):
        enable(tmp_path / "dev.yaml", "watch")


def test_a_file_that_is_no_stage_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "delivery.yaml"
    file.write_text("stages: []\n")
    with pytest.raises(ScaffoldError, match="add watch to 'sources' there"):
        enable(file, "watch")
    assert file.read_text() == "stages: []\n"


@pytest.mark.parametrize("name", ["on", "null"])
def test_a_name_that_is_a_word_of_yaml_stays_a_name(tmp_path: Path, name: str) -> None:
    file = tmp_path / "dev.yaml"
    with pytest.raises(ScaffoldError, match=f"add {name} to 'sources' there"):
        enable(file, name)
    assert not file.exists()
