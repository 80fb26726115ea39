"""A sender whose text wants to be more than text on an operator's terminal (S4)."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from loadtests.attack.pipeline import new_mark
from loadtests.attack.verdicts import refuse_if
from toolbox.sources.samples import load_samples

if TYPE_CHECKING:
    from loadtests.attack.pipeline import AttackedPipeline
    from loadtests.attack.verdicts import Later

_TEXTS = (
    "[/bold]", "[link=https://attacker.example]here[/link]", "[conceal]x[/conceal]", "^[/a-z]+$",
    "\x1b[2J", "\x1b]8;;https://attacker.example\x1b\\", "\x9b31m", "\x7f", "\x00",
    "\u202egnp.exe", "\u2066", "\u200b", "\u2028", "\n  reason: delivered", "\r", "\U000e0041",
)  # fmt: skip
_UNFIT = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_LINES = {"\n"}
_NO_LINES = dict.fromkeys(range(32), " ")


def hostile_text(arena: AttackedPipeline) -> Later:
    """Have events rejected whose fields, ids and explanations hold it; look as operators do."""
    source = arena.sources["github"]
    push = next(one for one in load_samples(source) if one.name == "push")
    for text in _TEXTS:
        # The schema wants a text here, and the explanation quotes what it found.
        document = {**json.loads(push.body), "ref": [text], text: text}
        body = json.dumps(document).encode()
        shown = text.encode("ascii", "ignore").decode().translate(_NO_LINES)
        headers = {**push.settings.headers, "Content-Type": "application/json"}
        headers["X-GitHub-Delivery"] = f"{shown}{new_mark()}"
        arena.post("/github", body, arena.sign(source, body, headers))

    def judge() -> str:
        shown = [_printed(arena, "dead-letters", "list")]
        tickets = json.loads(_printed(arena, "dead-letters", "list", "--json"))
        wanted = [str(one["id"]) for one in tickets if "github" in one["sources"]]
        refuse_if(not wanted, "no ticket holds what was sent")
        shown += [_printed(arena, "dead-letters", "show", one) for one in wanted]
        refuse_if("attacker.example" not in "".join(shown), "what was sent is not shown at all")
        shown.append(_printed(arena, "[link=x]y[/link]\x9b\x1b[2J", state=False))
        return f"{len(shown)} looks at {len(_TEXTS)} texts, nothing that a terminal acts upon"

    return judge


def _printed(arena: AttackedPipeline, *words: str, state: bool = True) -> str:
    command = [str(Path(sys.executable).with_name("mozdef-ef")), *words]
    command += ["--state", str(arena.state)] if state else []
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    # What is no UTF-8 is half a surrogate pair then, and so found.
    shown = (done.stdout + done.stderr).decode("utf-8", "surrogateescape")
    refuse_if("Traceback" in shown, f"{words[0]} ended with a traceback")
    acting = {one for one in shown if unicodedata.category(one) in _UNFIT} - _LINES
    refuse_if(acting, f"{words[0]} showed {sorted(map(ascii, acting))[:3]}")
    refuse_if("\n  reason: delivered" in shown, f"{words[0]} showed a line of a sender's")
    return shown
