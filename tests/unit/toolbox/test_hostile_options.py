"""Whatever somebody types as an option: an answer of a line or two, never a stack trace.

Nothing runs here, so each command comes as far as its options, its settings and its files lead.
"""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from typer.core import TyperGroup

from pipeline.errors import PipelineError
from tests.support.command import run_here
from toolbox.cli import listen_run, local, synth
from toolbox.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = (
    "", " ", "-1", "0", "99999999999999999999", "nan", "1e999", "0001-01-01T00:00+14:00",
    "9999-12-31", "999999w", "a" * 5_000, "\udce9", "\x1b[31m", "/dev/null", "/proc/self/mem",
    "file/below", "{x}%s", "../" * 50,
)  # fmt: skip
#: What takes the words as they are, or works on all sources for seconds whatever its options are.
LEFT_OUT = {("cdk",), ("source", "check"), ("source", "list"), ("doctor",), ("cost",)}
#: Values of an option that are tried; another option begins with the next of them.
EACH = 3


def commands(group: Any = None, *before: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    found: Any = group or typer.main.get_command(app)
    for name, lazy in found.commands.items():
        command = lazy.loaded()
        if isinstance(command, TyperGroup):
            yield from commands(command, *before, name)
        if not isinstance(command, TyperGroup) or command.invoke_without_command:
            yield (*before, name), command


ALL = {words: command for words, command in commands() if words not in LEFT_OUT}


def tried(command: Any) -> Iterator[list[str]]:
    """Words to type behind a command: a hostile value for one of its parameters at a time."""
    values = cycle(HOSTILE)
    needed = [one.metavar or one.name for one in command.params if one.param_type_name != "option"]
    for one in command.params:
        if one.param_type_name == "option" and getattr(one, "is_flag", False):
            continue
        for value in islice(values, EACH):
            if one.param_type_name == "option":
                yield [*("github" for _ in needed), f"{one.opts[0]}={value}"]
            else:
                yield ["--", *(value if each == (one.metavar or one.name) else "github"
                               for each in needed)]  # fmt: skip


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_no_option_makes_a_stack_trace(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(PipelineError):  # noqa: N818 - it ends what would run for long
        """Raised in the place of what starts."""

    def stop(*_: Any, **__: Any) -> None:
        raise Stop("started")

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONFIG", raising=False)
    monkeypatch.delenv("STAGE", raising=False)
    (tmp_path / "file").write_text("")
    for module in (local, synth):
        monkeypatch.setattr(module, "synthesize", stop)
    monkeypatch.setattr("local.supervisor.LocalRuntime", stop)
    monkeypatch.setattr(listen_run, "_serve", stop)
    monkeypatch.setattr("toolbox.sessions.aws_session", stop)
    monkeypatch.setattr("toolbox.deployments.aws_session", stop)
    for more in tried(ALL[words]):
        done = run_here(*words, *more)
        assert "Traceback" not in done.err, (words, more, done.err[-2_000:])
        assert done.status in {0, 1, 2, 3}, (words, more)
        assert "\x1b" not in done.err + done.out
