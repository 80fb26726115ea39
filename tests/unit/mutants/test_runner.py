"""The runner on a project of a few lines: what dies, what lives, and what it says of both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
CODE = """\
LIMIT = 10


def fits(size):
    while size > LIMIT:
        return False
    return True


def unseen(size):
    return size + 1
"""
TESTS = """\
from shop.price import fits


def test_what_is_larger_does_not_fit():
    assert not fits(12)


def test_what_is_smaller_fits():
    assert fits(1)
"""
EDGE = """

def test_the_edge():
    assert fits(10)
    assert not fits(11)
"""
PLAN = """\
[room.shop]
code = ["shop"]
tests = ["checks"]
"""
NAMED = """
[[named]]
name = "everything fits"
room = "shop"
file = "shop/price.py"
old = "{old}"
new = "{new}"
"""
EQUIVALENT = """
[[equivalent]]
id = "shop/price.py:{id}"
why = "none"
"""


class Project:
    """A project in a folder, and the runner on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in {
            "shop/__init__.py": "",
            "shop/price.py": CODE,
            "checks/test_price.py": TESTS,
            "plan.toml": PLAN,
        }.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)

    def append(self, name: str, text: str) -> None:
        file = self.folder / name
        file.write_text(file.read_text() + text)

    def command(self, *options: str) -> list[str]:
        where = ["--project", str(self.folder), "--plan", str(self.folder / "plan.toml")]
        return [sys.executable, "-m", "tests.mutants", "--cpu-seconds", "1", *options, *where]

    @property
    def environment(self) -> dict[str, str]:
        """Its tests need no plugin, and each plugin costs every child that runs them."""
        return {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

    def run(self, *options: str) -> tuple[int, str, dict[str, dict[str, Any]]]:
        """Status, what it printed, and its verdicts by the mutant's id."""
        done = subprocess.run(
            self.command(*options),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        file = self.folder / "build/mutants.json"
        found = json.loads(file.read_text())["mutants"] if file.exists() else []
        verdicts = {one["id"].removeprefix("shop/price.py:"): one for one in found}
        return done.returncode, done.stdout + done.stderr, verdicts


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_what_must_die_dies_and_what_no_test_sees_lives(project: Project) -> None:
    status, printed, verdicts = project.run()
    assert status == 1, printed
    killed = verdicts["fits: return False -> return None"]
    assert killed["outcome"] == "survived", "None is as false as False"
    assert verdicts["fits: return True -> return None"]["outcome"] == "killed"
    assert verdicts["fits: True -> False"]["by"] == (
        "checks/test_price.py::test_what_is_smaller_fits"
    )
    edge = verdicts["fits: size > LIMIT -> size >= LIMIT"]
    assert edge == {
        "room": "shop",
        "id": "shop/price.py:fits: size > LIMIT -> size >= LIMIT",
        "named": False,
        "outcome": "survived",
        "by": "2 tests run it",
    }
    assert verdicts["unseen: size + 1 -> size - 1"]["by"] == "no test runs it"
    assert "survived: shop/price.py:fits: size > LIMIT -> size >= LIMIT" in printed


def test_a_constant_of_the_module_is_changed_too(project: Project) -> None:
    project.append("plan.toml", NAMED.format(old="LIMIT = 10", new="LIMIT = 11"))
    assert project.run("--mutants", "0")[2]["everything fits"]["outcome"] == "survived"
    project.append("checks/test_price.py", EDGE)
    assert project.run("--mutants", "0")[2]["everything fits"]["outcome"] == "killed"


def test_equivalent_mutants_do_not_count_and_one_that_is_killed_is_said(project: Project) -> None:
    project.append("checks/test_price.py", EDGE)
    project.append("shop/price.py", "\n\ndel unseen\n")
    for name in (
        "fits: return False -> return None",
        "unseen: size + 1 -> size - 1",
        "unseen: 1 -> 2",
        "unseen: return size + 1 -> return None",
    ):
        project.append("plan.toml", EQUIVALENT.format(id=name))
    status, printed, verdicts = project.run()
    assert (status, verdicts["unseen: 1 -> 2"]["outcome"]) == (0, "equivalent"), printed
    project.append("plan.toml", EQUIVALENT.format(id="module: 10 -> 11"))
    status, printed, _ = project.run()
    assert (status, "it is listed as equivalent, and is not" in printed) == (0, True)
    project.append("plan.toml", EQUIVALENT.format(id="fits: 1 -> 2"))
    status, printed, _ = project.run()
    assert (status, "and not there: ['shop/price.py:fits: 1 -> 2']" in printed) == (2, True)


@pytest.mark.parametrize(
    ("old", "new", "outcome", "status"),
    [
        ("return False", "return True", "killed", 0),
        ("size > LIMIT", "size >= LIMIT", "survived", 1),
        ("return 7", "return 8", "not there", 1),
        ("return False", "pass", "timed out", 0),
    ],
)
def test_a_named_mutant_must_be_there_and_must_die(
    project: Project, old: str, new: str, outcome: str, status: int
) -> None:
    project.append("plan.toml", NAMED.format(old=old, new=new))
    ended, printed, verdicts = project.run("--mutants", "0")
    assert (verdicts["everything fits"]["outcome"], ended) == (outcome, status), printed
    assert list(verdicts) == ["everything fits"]


def test_tests_that_fail_without_a_mutant_say_nothing_of_one(project: Project) -> None:
    project.append("checks/test_price.py", "\n\ndef test_broken():\n    assert fits(99)\n")
    status, printed, _ = project.run()
    assert (status, "its tests do not pass without a mutant" in printed) == (2, True)


def test_an_unknown_room_is_named(project: Project) -> None:
    status, printed, _ = project.run("--room", "shed")
    assert (status, "no room shed; there are shop" in printed) == (2, True)


def test_a_run_that_is_ended_leaves_no_child(project: Project) -> None:
    new = (
        "return __import__('pathlib').Path('child').write_text(str(__import__('os').getpid()))"
        " and __import__('time').sleep(600)"
    )
    project.append("plan.toml", NAMED.format(old="return False", new=new))
    written = project.folder / "child"
    with subprocess.Popen(
        project.command("--mutants", "0"),
        cwd=ROOT,
        env=project.environment,
        stdout=subprocess.DEVNULL,
    ) as run:
        while not (written.exists() and written.read_text()):
            assert run.poll() is None
            time.sleep(0.02)
        run.terminate()
    assert run.returncode == 143
    assert not Path(f"/proc/{written.read_text()}").exists()
