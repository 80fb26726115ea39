"""docs/deploying.md does what it says, up to the first call of AWS."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import bare_environment, given
from tests.support.tutorial import read_blocks

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "deploying.md"
MARK = "--- 8< ---"
COMMANDS = re.findall(r"^(?:[A-Z_]+=\S+ )*(mozdef-ef .*[^\\])$", PAGE.read_text(), re.MULTILINE)


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    steps = [
        step
        for block in read_blocks(PAGE)
        if block.kind == "console" and not block.runtime
        for step in block.commands()
    ]
    assert len(steps) >= 6
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "config").symlink_to(ROOT / "config")
    # One shell for all of them, as a reader has it: what one exports, the next one sees.
    script = "".join(f"{command}\necho '{MARK}'\n" for command, _ in steps)
    path = f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=clone,
        env=bare_environment(PATH=path, CDK_OUTPUT=str(tmp_path / "cdk.out"), CDK_NOTICES="false"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = [text.strip() for text in done.stdout.split(MARK)[:-1]]
    for (command, expected), output in zip(steps, shown, strict=True):
        # The app itself prints where the template went, which is another place here.
        lines = [line for line in output.splitlines() if not line.endswith(".template.json")]
        assert lines == expected.strip().splitlines(), command
    # The CDK's own rules, which only warn, are asked here: the other tests leave them out.
    report = json.loads((tmp_path / "cdk.out" / "validation-report.json").read_text())
    assert report["pluginReports"] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_other_commands_are_spelled_as_they_are(command: str) -> None:
    _, *words = shlex.split(command.replace("…", "stack"))
    with given(*words) as context:
        read = context.args
    if words[0] == "cdk":
        assert read[0] in {"bootstrap", "deploy", "destroy", "import", "ls"}
        # The CDK imports nothing beside changes of what is there, and a source always brings some.
        assert read[0] != "import" or "--force" in read
    else:
        assert not read
