"""What is not there: the nearest name, and what there is."""

from __future__ import annotations

import pytest

from toolbox.terminal.nearest import nearest, unknown

FEW = ["generic", "github", "okta"]


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("githb", FEW, "did you mean github?"),
        ("GITHUB", FEW, "did you mean github?"),
        ("zzz", FEW, "there are generic, github, okta"),
        ("zzz", ["okta"], "there is okta"),
        ("zzz", [], "there are none"),
        ("zzz", [f"source-{n}" for n in range(13)], "there are 13; 'mozdef-ef source list' lists"),
        ("github-aud", ["github", "github-audit-log"], "did you mean github-audit-log or github?"),
    ],
)
def test_the_nearest_name_is_said(name: str, known: list[str], said: str) -> None:
    assert said in str(unknown("source", name, known, "mozdef-ef source list"))


def test_the_beginning_of_an_id_is_near_it() -> None:
    assert nearest("1f2e3d", ["1f2e3d4c5b6a", "ffffffffffff"]) == ["1f2e3d4c5b6a"]


def test_a_name_of_any_length_is_compared_in_no_time() -> None:
    assert nearest("a" * 1_000_000, [f"source-{n}" for n in range(1_000)]) == []
