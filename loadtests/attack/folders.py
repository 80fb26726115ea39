"""Who writes a source folder that somebody else reads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import yaml

from loadtests.attack.verdicts import NotHeldError, refuse_if

if TYPE_CHECKING:
    from pathlib import Path

    from loadtests.attack.pipeline import AttackedPipeline

_CANARY = "the-canary-of-this-attack"
HANGS_SECONDS = 60.0
_SETTINGS: dict[str, Any] = {
    "version": 1,
    "title": "A sender",
    "authentication": {"type": "token", "header": "X-Token"},
    "mozdef": {"category": "x", "severity": "INFO", "tags": ["x"], "summary": "x"},
    "schemas": {"default": "schemas/any.json"},
}
SAMPLE = {"description": "x", "body": "{}", "expect": {"outcome": "delivered"}}
_PATTERNS = {
    "nested": "^(a+)+$",
    "alternatives": "^(a|a)*$",
    "overlapping": "^(a|aa)+$",
    "backreference": r"(a+)\1*\1*b",
    "lookahead": "(?=(a+)+$)x",
    "three stars": ".*.*.*=",
    "counted": "(a{1,50}){1,50}b",
}


def hostile_folders(arena: AttackedPipeline) -> str:
    """Have a source folder read files outside of it, hang, or eat the machine (S7)."""
    root = arena.scratch / "folders"
    _write_folders(root, arena.scratch)
    found = read_apart("folders", root)
    refuse_if(found.pop("sound") is not None, "a sound folder is refused")
    for name, fault in found.items():
        refuse_if(fault is None, f"{name} was read")
        refuse_if(_CANARY in str(fault), f"{name}: the fault shows what was read")
        refuse_if("\n" in str(fault), f"{name}: the fault is more than one line")
    return f"{len(found)} folders, a line for each: nothing outside read, no hang"


def make_folder(root: Path, name: str, **change: Any) -> Path:
    """Write a sound source folder, but for what is changed."""
    made = root / name.replace(" ", "-")
    for part in ("schemas", "samples"):
        (made / part).mkdir(parents=True)
    (made / "source.yaml").write_text(yaml.safe_dump({**_SETTINGS, **change}))
    (made / "schemas" / "any.json").write_text("{}")
    (made / "samples" / "one.yaml").write_text(yaml.safe_dump(SAMPLE))
    return made


def _write_folders(root: Path, outside: Path) -> None:
    (outside / "secret.json").write_text(json.dumps({"title": _CANARY, "pattern": _CANARY}))
    (outside / "secret.yaml").write_text(f"{_CANARY} a")

    def folder(name: str, **change: Any) -> Path:
        return make_folder(root, name, **change)

    def schema(name: str, path: str) -> Path:
        return folder(name, schemas={"default": path})

    def sample(name: str, path: str) -> None:
        made = folder(name)
        asked = {"description": "x", "body_file": path, "expect": {"outcome": "delivered"}}
        (made / "samples" / "one.yaml").write_text(yaml.safe_dump(asked))

    folder("sound")
    for number, path in enumerate(
        ["/etc/passwd", "../../secret.json", str(outside / "secret.json")]
    ):
        schema(f"schema-out-{number}", path)
        sample(f"sample-out-{number}", path)
    made = schema("schema-link", "schemas/link.json")
    (made / "schemas" / "link.json").symlink_to(outside / "secret.json")
    schema("device", "/dev/zero")
    os.mkfifo(schema("pipe", "schemas/pipe.json") / "schemas" / "pipe.json")
    made = folder("settings-link")
    (made / "source.yaml").unlink()
    (made / "source.yaml").symlink_to(outside / "secret.yaml")
    (folder("deep") / "source.yaml").write_text("a: " + "[" * 50_000)
    aliases = "\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 12))
    (folder("aliases") / "source.yaml").write_text(f"x0: &x0 [lol]\n{aliases}\n")
    (folder("large") / "source.yaml").write_text("# " + "x" * (32 << 20))
    (folder("deep-schema") / "schemas" / "any.json").write_text('{"not":' * 50_000)
    for name, pattern in _PATTERNS.items():
        text = json.dumps({"properties": {"a": {"type": "string", "pattern": pattern}}})
        (folder(f"pattern {name}") / "schemas" / "any.json").write_text(text)


def read_apart(what: str, path: Path) -> dict[str, str | None]:
    """Read what was made in a process of its own; NotHeldError where it hangs or fails."""
    command = [sys.executable, "-m", "loadtests.attack.reading", what, str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=HANGS_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NotHeldError(f"the reader hung for {HANGS_SECONDS:.0f} s") from None
    finally:
        shutil.rmtree(path, ignore_errors=True)
    if done.returncode:
        raise NotHeldError(f"the reader ended with {done.returncode}: {done.stderr[-200:]}")
    found: dict[str, str | None] = json.loads(done.stdout)
    return found
