"""What waits without end is ended, and is not taken for a test that fails."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.mutants import baseline
from tests.mutants.baseline import measure
from tests.mutants.plan import MutantError, Room
from tests.mutants.trials import Children

if TYPE_CHECKING:
    from pathlib import Path


def wait() -> dict[str, Any]:
    while True:
        signal.pause()


def test_a_child_that_waits_without_end_is_ended(tmp_path: Path) -> None:
    ((_, result),) = Children(tmp_path, hang_seconds=0.3).each([wait])
    assert result.status == -signal.SIGKILL


def test_a_rooms_tests_that_are_ended_are_not_said_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline, "HANG_SECONDS", 0.3)
    (tmp_path / "test_it.py").write_text(
        "import signal\ndef test_it():\n    while True:\n        signal.pause()\n"
    )
    with pytest.raises(MutantError, match="ended by signal 9") as error:
        measure(tmp_path, Room("shop", ("test_it.py",), ("test_it.py",)), tmp_path)
    assert "do not pass" not in str(error.value)
