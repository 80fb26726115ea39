"""A command to type next is spelled in one place, with the options of place that were given."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

import toolbox
from tests.support.command import given, run_here
from toolbox.audit.conclusion import next_command
from toolbox.audit.join import FAILED, MISSING
from toolbox.cli.main import COMMANDS
from toolbox.project.next_steps import PLACES, next_step

ROOT = Path(toolbox.__file__).parents[1]
#: Whose texts an operator reads, and what makes a step of one.
CODE = [
    file
    for room in ("infra", "ingest_lambdas", "local", "pipeline", "settings", "stream_processors",
                 "toolbox")
    for file in (ROOT / room).rglob("*.py")
]  # fmt: skip
SPELL = {"toolbox/project/next_steps.py", "pipeline/errors.py"}
_ANY = "|".join(COMMANDS)
#: What stands for all of these options.
PLACE = ("--config", "c", "--stage", "s", "--state", "a b")
STEPS = {
    # A name stands for what is only known when it is printed.
    re.sub(r"\{[^}]*\}", "NAME", found)
    for file in CODE
    for found in re.findall(r"(?:next_step\(|\bthen=)\s*f?([\"\'])(.+?)\1", file.read_text())
    for found in found[1:]
}


def _texts(file: Path) -> list[str]:
    """The texts of a module that people read when it runs: no docstrings, and no help."""
    tree = ast.parse(file.read_text())
    left_out = {
        id(part)
        for node in ast.walk(tree)
        for whole in (
            [node.value]
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            else [word.value for word in node.keywords if word.arg == "help"]
            if isinstance(node, ast.Call)
            else []
        )
        for part in ast.walk(whole)
        if isinstance(part, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in left_out
    ]


def test_no_other_place_spells_a_command() -> None:
    """Neither with the program's name, nor with what is typed after it."""
    words = re.compile(rf"mozdef-ef (?:{_ANY})\b|'(?:{_ANY})\b[a-z -]* --")
    spelled = {
        f"{file.relative_to(ROOT)}: {found[0]}"
        for file in CODE
        for text in _texts(file)
        for found in words.finditer(text)
        if file.parent.name != "costs"  # which writes a page
    }
    assert {one for one in spelled if one.partition(":")[0] not in SPELL} == {
        "infra/watching/alarm_definitions.py: mozdef-ef dead-letters",  # with its stack
        "pipeline/replay/worker.py: mozdef-ef replay",  # which began the workflow
        "toolbox/replaying/wishes.py: mozdef-ef audit",  # which wrote a file
        "toolbox/console/access.py: mozdef-ef console",  # which printed an address
        "toolbox/cli/doctor.py: 'local up --",  # which it is about
    }


def test_an_error_of_the_runtime_ends_in_a_command_that_helps(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    place = ("--config", tmp_path / "config")
    assembly = ("--assembly", tmp_path / "no")
    done = run_here("local", "up", "--no-synth", *place, *assembly, "--state", tmp_path / "state")
    assert done.status == 2
    assert f"no cloud assembly; run 'mozdef-ef synth {' '.join(map(str, place))}" in done.err
    assert f" --output {tmp_path / 'no'}'" in done.err


def test_there_are_steps_to_look_at() -> None:
    assert {"dead-letters show NAME", "local up", "secret set NAME"} <= STEPS


@pytest.mark.parametrize("step", sorted(STEPS))
def test_each_step_takes_the_options_that_it_may_repeat(step: str) -> None:
    options = PLACES.get(step.partition(" ")[0], ("config", "stage", "state", "stack"))
    words = shlex.split(step.replace("--value NAME", "--value 3"))
    with given(*words, *(word for name in options for word in (f"--{name}", "."))) as context:
        assert set(options) <= context.params.keys() or context.args, step


@pytest.mark.parametrize(
    "words", [("status",), ("explain", "ID"), ("dead-letters", "list"), ("audit",)]
)
def test_each_command_repeats_what_it_was_given(words: tuple[str, ...]) -> None:
    with given(*words, *PLACE):
        said = next_step("dead-letters show 1a2b")
    assert said == "mozdef-ef dead-letters show 1a2b --config c --stage s --state 'a b'"
    with given(*words, "--stack", "S"):
        assert next_step("status").endswith("status --stack S")
    assert next_step("status") == "mozdef-ef status"


@pytest.mark.parametrize("cause", [MISSING, FAILED, "bad_signature", "schema_violation"])
def test_what_an_audit_says_to_type_is_spelled_as_it_is(cause: str) -> None:
    with given(*next_command(cause, "2026-11-23T20:00Z").split()) as context:
        assert not context.args
