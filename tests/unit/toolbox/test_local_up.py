"""`local up`, where what a former run left does not fit the settings."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer

from local.data_changes import DataWouldBeLostError
from toolbox.cli import local
from toolbox.terminal.output import errors

if TYPE_CHECKING:
    from pathlib import Path

CHANGE = "Stream (AWS::Kinesis::Stream): ShardCount is 2, and would be 4"


class Refused:
    """A runtime that finds a state which does not fit."""

    began_anew = False

    def __init__(self, *_: object, may_discard: Any, **__: object) -> None:
        self._may_discard = may_discard

    def run_until_stopped(self, *_: object) -> None:
        error = DataWouldBeLostError((CHANGE,))
        if not self._may_discard(error):
            raise error
        Refused.began_anew = True


@pytest.fixture(autouse=True)
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.supervisor.LocalRuntime", Refused)
    monkeypatch.setattr(Refused, "began_anew", False)


def _up(folder: Path, **options: Any) -> None:
    local.up(state=folder / "state", assembly=folder, synth=False, **options)


def test_without_a_terminal_it_is_refused_with_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(local.KeptDataError) as raised:
        _up(tmp_path)
    assert CHANGE in str(raised.value)
    assert str(raised.value).endswith(": mozdef-ef local up --discard")
    assert not Refused.began_anew


def test_the_option_begins_with_nothing(tmp_path: Path) -> None:
    _up(tmp_path, discard=True)
    assert Refused.began_anew


@pytest.mark.parametrize("answer", [True, False])
def test_on_a_terminal_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return answer

    monkeypatch.setattr(typer, "confirm", confirm)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(type(errors), "is_terminal", True)
    if answer:
        _up(tmp_path)
    else:
        with pytest.raises(local.KeptDataError):
            _up(tmp_path)
    assert Refused.began_anew is answer
    assert "what is on the stream" in asked[0]
