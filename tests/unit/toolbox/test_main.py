"""The command itself: what it says of itself."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from tests.support.command import completions, given, run_here
from tests.support.terminal import fits, is_golden
from toolbox.cli import completing
from toolbox.cli.main import COMMANDS
from toolbox.project import options

ROOT = Path(__file__).parents[3]
#: What takes tenths of a second to import, and no help needs.
HEAVY = {"aiohttp", "boto3", "botocore", "fastjsonschema", "jsonschema", "settings", "yaml"}
#: The same of a command's; it reads some settings' defaults, and the errors of AWS's clients.
HEAVIEST = {"aiohttp", "boto3", "fastjsonschema", "h11", "jsonschema", "settings.source.model"}
GROUPS = [name for name, what in COMMANDS.items() if isinstance(what, dict)]


def test_the_version_is_the_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    done = run_here("--version")
    assert (done.status, done.out) == (0, f"mozdef-ef {project['version']}\n")


def test_without_a_command_it_shows_its_commands() -> None:
    done = run_here()
    assert "Webhooks in, MozDef events out" in done.out + done.err
    assert "--version" in done.out + done.err
    assert "dead-letters" in done.out + done.err


@pytest.mark.parametrize("words", [[], *([name] for name in GROUPS)], ids=" ".join)
def test_a_help_fits_and_cuts_nothing(words: list[str]) -> None:
    done = run_here(*words, "-h")
    assert (done.status, done.err) == (0, "")
    assert "..." not in done.out.partition("Commands:")[2]
    fits(done.out)
    if not words:
        is_golden("help", done.out)


def test_a_help_imports_little() -> None:
    """Modules are counted, since a clock would judge the machine."""
    words = [[name, *more] for name, what in COMMANDS.items()
             for more in ([[one] for one in what] if isinstance(what, dict) else [[]])]  # fmt: skip
    code = (
        "import sys, contextlib\n"
        "from toolbox.cli import main\n"
        "for words in {words!r}:\n"
        "    sys.argv = ['mozdef-ef', *words, '-h']\n"
        "    with contextlib.suppress(SystemExit): main.run()\n"
        "print('loaded', *sys.modules)\n"
    )

    def loaded(words: list[list[str]]) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", code.format(words=words)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        return set(done.stdout.rpartition("loaded ")[2].split())

    of_groups = loaded([[], *([name] for name in GROUPS)])
    assert "toolbox.cli.main" in of_groups
    assert of_groups & HEAVY == set()
    of_commands = loaded(words)
    assert {"toolbox.cli.replay", "toolbox.cli.listen"} <= of_commands
    assert of_commands & HEAVIEST == set()
    own = [
        name
        for name in of_commands
        if name.startswith(("local", "pipeline", "settings", "toolbox"))
    ]
    assert len(own) < 240, "all helps together, of the 600 modules there are"


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"], ["--stage", "dev", "-h"]], ids=" ".join)
def test_the_help_of_cdk_starts_no_node(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it started something"))
    done = run_here("cdk", *words)
    assert (done.status, done.err) == (0, "")
    assert "cdk [OPTIONS] COMMAND ..." in done.out
    assert "'mozdef-ef cdk help'" in done.out
    fits(done.out)
    assert completions("mozdef-ef cdk --st") == ["--stage"]
    assert completions("mozdef-ef cdk dep") == []


def _readme() -> list[str]:
    """Each command line of README's; of a choice `a|b`, one for each."""
    lines = re.findall(
        r"^\.venv/bin/mozdef-ef (.+)$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    found = []
    for line in lines:
        text, *_ = line.split("  #")
        chosen = re.search(r"\w+(?:\|\w+)+", text)
        found += (
            [text.replace(chosen[0], one) for one in chosen[0].split("|")] if chosen else [text]
        )
    return found


@pytest.mark.parametrize("line", _readme())
def test_each_line_of_the_readme_is_spelled_as_it_is(line: str) -> None:
    words = shlex.split(line)
    with given(*words) as context:
        assert not context.args or words[0] == "cdk"


def test_what_is_misspelled_has_a_nearest_name() -> None:
    done = run_here("sorce", "list")
    assert (done.status, "Did you mean 'source'?" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("mozdef-ef so", "source"),
        ("mozdef-ef dead-letters ", "replay"),
        ("mozdef-ef send git", "github-audit-log"),
        ("mozdef-ef source show gith", "github"),
        ("mozdef-ef send github pu", "push"),
        ("mozdef-ef send github pull-req", "pull-request-merged"),
        ("mozdef-ef source check githu", "github"),
        ("mozdef-ef source check github --type mem", "member"),
        ("mozdef-ef synth --stage de", "dev"),
        ("mozdef-ef send gith --sta", "--state"),
    ],
)
def test_a_shell_completes(words: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONFIG", raising=False)
    monkeypatch.chdir(ROOT / "docs")
    monkeypatch.setattr(options, "COMPLETED_SECONDS", 300.0)  # no clock judges here
    assert wanted in completions(words)


@pytest.mark.parametrize(
    "words",
    [
        "mozdef-ef dead-letters show --state nowhere ",
        "mozdef-ef dead-letters replay --stack S ",
        "mozdef-ef send nosuch ",
        "mozdef-ef source check --type ",
        "mozdef-ef send --config nowhere git",
    ],
)
def test_what_cannot_be_completed_is_silent(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "COMPLETED_SECONDS", 300.0)
    assert completions(words) == []


def test_nobody_waits_for_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(options, "COMPLETED_SECONDS", 0.01)
    monkeypatch.setattr(completing, "_folders", lambda _: never.wait(300))
    try:
        assert completions("mozdef-ef send github pu") == []
    finally:
        never.set()
