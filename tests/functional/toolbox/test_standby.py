"""The process that synthesizes again and again, and what it says."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from pathlib import Path
from textwrap import dedent

import pytest

from tests.functional.local.support import wait_for, wait_until_gone
from toolbox import synthesis
from toolbox.synthesis import AssemblyError, Synthesizer

STAND_BY = """
    import os, sys, time
    from pathlib import Path
    from infra.assembly.standby import stand_by
    from pipeline.errors import PipelineError
    def synthesize(output):
        print("to nobody")
        order = Path({root!r}, "order").read_text()
        if order == "die":
            os.write(2, b"it died\\n")
            os._exit(3)
        if order == "fail":
            print("the stack said so", file=sys.stderr)
            raise PipelineError("dev.yaml: no such key\\nand another")
        with Path({root!r}, "calls").open("a") as calls:
            print(output, file=calls)
        if order == "wait":
            time.sleep(60)
        sys.modules["aws_cdk"] = os
        (output / "made.by").write_text(str(os.getpid()))
    stand_by(Path({root!r}), synthesize)
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = dedent(STAND_BY).format(root=str(tmp_path))
    monkeypatch.setattr(synthesis, "_command", lambda *_: [sys.executable, "-c", script])
    (tmp_path / "order").write_text("")
    (tmp_path / "settings").mkdir()
    return tmp_path


def test_it_stays_until_its_code_changes_and_ends_with_who_asks(root: Path) -> None:
    output, made = root / "cdk.out", list[int]()

    def write() -> None:
        synthesizer.synthesize(output)
        made.append(int((output / "made.by").read_text()))

    with Synthesizer("dev", root) as synthesizer:
        write()
        synthesizer.warm()
        write()
        (root / "order").write_text("fail")
        with pytest.raises(AssemblyError) as raised:
            write()
        assert raised.value.lines == ("the stack said so", "dev.yaml: no such key", "and another")
        (root / "order").write_text("")
        write()
        (root / "settings" / "model.py").write_text("")
        write()
    first, second, third, fourth = made
    assert first == second == third != fourth
    assert first != os.getpid()
    wait_until_gone([first, fourth], 0)


def test_it_loads_what_takes_long_once_and_leaves_nothing_of_that(root: Path) -> None:
    with Synthesizer("dev", root) as synthesizer:
        synthesizer.warm()
        synthesizer.warm()
        synthesizer.synthesize(root / "cdk.out")
        synthesizer.warm()
    unwanted, wanted = (root / "calls").read_text().splitlines()
    assert not Path(unwanted).exists()
    assert wanted == str(root / "cdk.out")


def test_nothing_is_left_behind_where_it_ends_while_it_loads(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(root / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (root / "order").write_text("wait")
    with Synthesizer("dev", root) as synthesizer:
        loading = threading.Thread(target=synthesizer.warm)
        loading.start()
        wait_for((root / "calls").exists, "it does not load")
        (root / "order").write_text("die")  # one that is started again
    loading.join()
    assert list((root / "tmp").iterdir()) == []


def test_one_that_dies_is_started_again_once_and_then_said(root: Path) -> None:
    (root / "order").write_text("die")
    with (
        Synthesizer("dev", root) as synthesizer,
        pytest.raises(AssemblyError, match=r"^it died$"),
    ):
        synthesizer.synthesize(root / "cdk.out")
