"""The command itself: what it says of itself."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.command import run_here
from tests.support.terminal import fits, is_golden
from toolbox.cli.main import COMMANDS

ROOT = Path(__file__).parents[3]
#: What takes tenths of a second to import, and no help needs.
HEAVY = {"aiohttp", "boto3", "botocore", "fastjsonschema", "jsonschema", "settings", "yaml"}
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


def test_a_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, contextlib\n"
        "from toolbox.cli import main\n"
        f"for words in {[[], *([name] for name in GROUPS), ['synth'], ['cdk', 'synth']]!r}:\n"
        "    sys.argv = ['mozdef-ef', *words[:1], '-h'] if words[:1] != ['cdk'] else ['x', '-h']\n"
        "    with contextlib.suppress(SystemExit): main.run()\n"
        "print('loaded', *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.rpartition("loaded ")[2].split())
    assert "toolbox.cli.main" in loaded
    assert loaded & HEAVY == set()


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
        ("mozdef-ef synth --stage de", "dev"),
        ("mozdef-ef send gith --sta", "--state"),
    ],
)
def test_a_shell_completes(words: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONFIG", raising=False)
    monkeypatch.chdir(ROOT / "docs")
    monkeypatch.setenv("_MOZDEF_EF_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    # Of `python -m`, the variable would have another name.
    monkeypatch.setattr(sys.modules["__main__"], "__package__", "")
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    done = run_here()
    assert wanted in done.out.split()
    assert done.err == ""
