"""docs/adding-a-source.md does what it says: its commands are run, and print what it shows."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from settings.source.loader import load_source
from tests.support.command import Done, given, run_here
from tests.support.terminal import shown
from tests.support.tutorial import Block, read_blocks
from toolbox.terminal.output import errors

PAGE = Path("docs/adding-a-source.md")
SOURCE = Path("config/sources/uptime-watch/source.yaml")
BLOCKS = read_blocks(PAGE)


def as_typed(command: str, directory: Path) -> str:
    """Run a command of the page; one of `mozdef-ef` alone needs neither shell nor interpreter."""
    program, *words = shlex.split(command, comments=True) if "|" not in command else [""]
    if program != "mozdef-ef":
        return in_shell(command, directory)
    with contextlib.chdir(directory), pytest.MonkeyPatch.context() as patch:
        patch.setattr(errors, "status", lambda _: contextlib.nullcontext())  # it is wiped away
        done: list[Done] = []
        shown(lambda: done.append(run_here(*words)))
    return "".join(f"{line.rstrip()}\n" for line in (done[0].err + done[0].out).splitlines())


def in_shell(command: str, directory: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(Path.cwd()), "TZ": "UTC"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.stderr + done.stdout


def replace_keys(file: Path, block: Block) -> None:
    text = file.read_text()
    for key in reversed(block.replaces):
        # A part of the file: its key, what is indented below it, and the comments before it.
        part = re.compile(rf"^(?:#.*\n)*{key}:.*\n(?:[ -].*\n)*", re.MULTILINE)
        found = part.findall(text)
        assert len(found) == 1, key
        new = block.text + "\n" if key == block.replaces[0] else ""
        text = text.replace(found[0], new)
    file.write_text(text)


def caught(listen: Block, sender: Block, directory: Path) -> None:
    """Listen as the page does, and play the sender of the block after it meanwhile."""
    ((command, shown),) = listen.commands()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    said: list[str] = []

    def send() -> None:
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", int(port))).close()
                break
            time.sleep(0.01)
        said.append(in_shell(sender.text.replace("8899", port), directory))

    player = threading.Thread(target=send, daemon=True)
    player.start()
    assert as_typed(f"{command} --port {port}", directory) == shown.replace("8899", port) + "\n"
    player.join()
    assert said == [""]


def test_the_page_does_what_it_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CONFIG", "STAGE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "dev.yaml").write_bytes(Path("config/dev.yaml").read_bytes())
    ran = 0
    blocks = iter(BLOCKS)
    for block in blocks:
        if block.runtime and "mozdef-ef listen" in block.text:
            caught(block, next(blocks), tmp_path)
        elif block.runtime:
            continue
        elif block.kind == "sh":
            assert in_shell(block.text, tmp_path) == ""
        elif block.replaces:
            replace_keys(tmp_path / SOURCE, block)
        elif block.kind == "console":
            for command, shown in block.commands():
                assert as_typed(command, tmp_path).rstrip() == shown.rstrip(), command
                ran += 1
    assert ran >= 5
    source = load_source((tmp_path / SOURCE).parent)
    assert source.settings.mozdef.severity_by_type == {"member.role_changed": "WARNING"}
    kept = sorted(path.name for path in tmp_path.rglob("*.mozdef.json"))
    assert kept == [
        f"{name}.mozdef.json" for name in ("check-down", "check-up", "member-role-changed")
    ]


RUNTIME = [
    command
    for block in BLOCKS
    if block.runtime
    for command, _ in block.commands()
    if command.startswith("mozdef-ef ")
]


@pytest.mark.parametrize("command", RUNTIME)
def test_the_other_commands_are_spelled_as_they_are(command: str) -> None:
    """What needs a pipeline is parsed and not run."""
    _, *words = shlex.split(command)
    with given(*words) as context:
        assert not context.args
