"""The delivery pipeline's builds: the commands of its template, run until their first AWS call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from loadtests.deploy_check.frame import CheckRow, DeployCheck
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
TESTS = ("test_build_commands.py", "test_delivery.py")
"""What runs the commands of every mode with the emulator in AWS's place, and reads the template."""


class BuildsError(PipelineError):
    """The builds could not be tried."""


def _run(folder: Path) -> Iterator[CheckRow]:
    report = folder / "builds.xml"
    tests = [f"tests/infra/delivery_pipeline/{name}" for name in TESTS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        [*command, f"--junitxml={report}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if not report.is_file():
        raise BuildsError(f"pytest wrote no report: {done.stdout[-400:]}{done.stderr[-400:]}")
    yield from rows_of(report.read_text(encoding="utf-8"))


def rows_of(report: str) -> Iterator[CheckRow]:
    """Make a row of each test of a report in JUnit's form; one that was left out does not hold."""
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314 - pytest's own
        what = case.get("name", "").removeprefix("test_").replace("_", " ")
        bad = [one for one in case if one.tag in {"failure", "error", "skipped"}]
        faults = [f"{what}: {one.tag}: {one.get('message', '')[:200]}" for one in bad]
        seconds = f"{float(case.get('time', 0)):.1f}"
        yield CheckRow((what, "no" if bad else "yes", seconds), faults)


BUILDS = DeployCheck(
    "builds", "Commands of the builds, until their first call", ("what", "holds", "seconds"), _run
)
