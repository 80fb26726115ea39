"""The frame of `make deploy-check`: its tables, and what counts as a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.deploy_check.builds import rows_of
from loadtests.deploy_check.frame import CheckRow, DeployCheck, tell
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def fails(_: Path) -> list[CheckRow]:
    raise PipelineError("cannot be looked at")


def test_each_check_has_a_table_and_each_fault_a_line_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def holds(folder: Path) -> list[CheckRow]:
        return [CheckRow((folder.name, 3)), CheckRow(("bad", 4), ("4 is too many",))]

    checks = [
        DeployCheck("one", "The first", ("what", "count"), holds),
        DeployCheck("two", "The second", ("what",), fails),
    ]
    assert tell(checks, tmp_path / "new") == ["one: 4 is too many", "two: cannot be looked at"]
    printed = "".join(capsys.readouterr())
    assert all(each in printed for each in ("The first", "The second", "count", "bad"))
    assert "one: 4 is too many" in printed


def test_a_check_without_a_fault_has_none(tmp_path: Path) -> None:
    check = DeployCheck("one", "The first", ("what",), lambda _: [CheckRow(("all",))])
    assert tell([check], tmp_path) == []


REPORT = """\
<testsuites><testsuite>
<testcase name="test_all_is_well[a]" time="1.25"/>
<testcase name="test_it_fails" time="0"><failure message="assert 1 == 2"/></testcase>
<testcase name="test_it_is_left_out"><skipped message="no node"/></testcase>
</testsuite></testsuites>
"""


def test_what_fails_or_is_left_out_of_the_builds_does_not_hold() -> None:
    rows = list(rows_of(REPORT))
    assert [row.cells[:2] for row in rows] == [
        ("all is well[a]", "yes"),
        ("it fails", "no"),
        ("it is left out", "no"),
    ]
    assert [fault for row in rows for fault in row.faults] == [
        "it fails: failure: assert 1 == 2",
        "it is left out: skipped: no node",
    ]
