"""`mozdef-ef demo`: the whole way on this machine, with an account of every event."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import typer

from pipeline.cli import demo_source
from pipeline.cli.demo_accounts import look, report
from pipeline.cli.demo_requests import Part, make_parts, real_payloads
from pipeline.cli.output import DOES_NOT_HOLD, console, progress_bar
from pipeline.cli.sender import Answer, send_all
from pipeline.cli.synth import REPOSITORY, synthesize
from pipeline.local.accounts import counters
from pipeline.local.supervisor import LocalRuntime
from pipeline.sources.loader import load_sources

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from pipeline.local.endpoints import Endpoints

EXAMPLES = REPOSITORY / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"
FOLDER = REPOSITORY / "build" / "demo"
SETTLE_SECONDS = 60.0


def demo() -> None:
    """Start the pipeline, send 329 real GitHub webhooks and some bad ones, account for each.

    Then mend the wrong schema of a source, replay what it had rejected, and audit it all.

    Exit status: 0 the accounts add up, 1 they do not.
    """
    broken = _assembly("before", broken=True)
    with tempfile.TemporaryDirectory(prefix="mozdef-ef-demo-") as folder:
        state = Path(folder)
        faults = _send_and_account(broken, state) or _mend_and_replay(state)
    for fault in faults:
        console.print(f"does not add up: {fault}", style="red", markup=False)
    if faults:
        raise typer.Exit(DOES_NOT_HOLD)
    console.print("Every event is accounted for.", style="green")


def _assembly(name: str, *, broken: bool) -> Path:
    config = demo_source.write_config(FOLDER / name / "config", broken=broken)
    assembly = FOLDER / name / "cdk.out"
    with console.status("synthesizing the stack"):
        synthesize(demo_source.STAGE, assembly, config)
    return assembly


def _send_and_account(assembly: Path, state: Path) -> list[str]:
    with LocalRuntime(assembly, state=state, port=None) as runtime:
        where = runtime.endpoints
        console.print(f"The stack runs at {where.api}, on emulated AWS services.")
        parts = _parts(where)
        answers = _send(where, parts)
        accepted = sum(answer.accepted for answer in answers)
        counted = _wait_until_settled(state / "logs", accepted)
        runtime.wait_until_idle(SETTLE_SECONDS)
        holdings = look(where)
    return report(parts, answers, counted, holdings)


def _parts(where: Endpoints) -> list[Part]:
    config = FOLDER / "before" / "config" / "sources"
    sources = load_sources(["github", "generic", demo_source.NAME], config)
    secrets = {
        name: next(iter(where.parameters[name].values())).splitlines()[0] for name in sources
    }
    return make_parts(sources, secrets, real_payloads(EXAMPLES), time.time)


def _send(where: Endpoints, parts: Sequence[Part]) -> list[Answer]:
    answers: list[Answer] = []
    total = sum(len(part.requests) for part in parts)
    start = time.monotonic()
    with progress_bar() as progress:
        task = progress.add_task("send webhooks", total=total, rate="")

        def on_answer(answer: Answer) -> None:
            answers.append(answer)
            done = len(answers) / (time.monotonic() - start)
            progress.update(task, advance=1, rate=f"{done:,.0f}/s")

        for part in parts:
            asyncio.run(send_all(where.api, part.requests, on_answer=on_answer))
    return answers


def _wait_until_settled(logs: Path, accepted: int) -> dict[str, Counter[str]]:
    """Wait until the processors have counted as many events as the door accepted."""
    end = time.monotonic() + SETTLE_SECONDS
    with console.status("waiting until every event has its outcome"):
        while True:
            counted = counters(logs)
            received = sum(counter["Received"] for counter in counted.values())
            if received >= accepted or time.monotonic() > end:
                return counted
            time.sleep(0.2)


def _mend_and_replay(state: Path) -> list[str]:
    """Deploy the mended schema, replay what the wrong one rejected, and audit everything."""
    name = demo_source.NAME
    console.print(f"\nNow the wrong schema of the source {name} is mended and deployed.")
    mended = _assembly("after", broken=False)
    with LocalRuntime(mended, state=state, port=None) as runtime:
        _command(state, "replay", "--kind", "rejected", "--source", name)
        runtime.wait_until_idle(SETTLE_SECONDS)
        _command(state, "audit")
        found = orjson.loads(_command(state, "audit", "--json", show=False))
    counts = found["sources"].get(name, {})
    wanted = demo_source.TICKETS
    checks = [
        (counts.get("rejected", 0), wanted, f"{name}: rejected at first"),
        (counts.get("delivered", 0), wanted, f"{name}: delivered after the replay"),
        (found["recovered"], wanted, "recovered by the replay"),
        (found["missing"] + found["pending"] + found["failed"], 0, "missing, pending or failed"),
        (found["unarchived"], 0, "not in raw/"),
    ]
    return [
        f"{what}: {n:,}, expected {expected:,}" for n, expected, what in checks if n != expected
    ]


def _command(state: Path, *words: str, show: bool = True) -> str:
    """Run a command of this program, as an operator would."""
    program = Path(sys.executable).parent / "mozdef-ef"
    if show:
        console.print(f"\n$ mozdef-ef {' '.join(words)}", style="bold", markup=False)
    done = subprocess.run(
        [program, *words, "--state", str(state)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if show:
        console.out(done.stdout.rstrip(), highlight=False)
    if done.returncode:
        console.out(done.stderr.rstrip(), highlight=False)
    return done.stdout
