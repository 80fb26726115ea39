"""A command to type next is spelled in one place, with the options of place that were given."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

import toolbox
from tests.support.command import given
from toolbox.audit.conclusion import next_command
from toolbox.audit.join import FAILED, MISSING
from toolbox.cli.main import COMMANDS
from toolbox.project import PLACES, next_step

CODE = Path(toolbox.__file__).parent
#: What it is made with, and what stands for all of these options.
SPELLS, PLACE = CODE / "project.py", ("--config", "c", "--stage", "s", "--state", "a b")
STEPS = {
    # A name stands for what is only known when it is printed.
    re.sub(r"\{[^}]*\}", "NAME", found)
    for file in CODE.rglob("*.py")
    for found in re.findall(r"next_step\(\s*f?([\"\'])(.+?)\1\s*\)", file.read_text())
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
            if isinstance(node, ast.Expr)
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
    words = re.compile(rf"mozdef-ef (?:{'|'.join(COMMANDS)})\b")
    spelled = {
        f"{file.relative_to(CODE)}: {found[0]}"
        for file in CODE.rglob("*.py")
        for text in _texts(file)
        for found in words.finditer(text)
        if file != SPELLS and file.parent.name != "costs"  # which writes a page
    }
    assert spelled == {
        "deployments.py: mozdef-ef local",  # in an error of `local/`, and put right here
        "replaying/wishes.py: mozdef-ef audit",  # which wrote a file
        "console/access.py: mozdef-ef console",  # which printed an address
    }


def test_there_are_steps_to_look_at() -> None:
    assert {"dead-letters show NAME", "local up", "secret set NAME"} <= STEPS


@pytest.mark.parametrize("step", sorted(STEPS))
def test_each_step_takes_the_options_that_it_may_repeat(step: str) -> None:
    options = PLACES.get(step.partition(" ")[0], ("config", "stage", "state", "stack"))
    words = shlex.split(step)
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
