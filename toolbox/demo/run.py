"""The whole way on this machine, with an account of every event."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import orjson
import typer

from local.accounts import counters
from local.supervisor import LocalRuntime
from settings.source.loader import load_sources
from toolbox.console.serving import open_scene, serve
from toolbox.demo import source as demo_source
from toolbox.demo.accounts import look, report
from toolbox.demo.api import PORT, SystemLog
from toolbox.demo.requests import Part, make_parts
from toolbox.demo.senders import handshakes, sender_parts
from toolbox.synthesis import REPOSITORY, Synthesizer
from toolbox.terminal.output import DOES_NOT_HOLD, console, print_table, progress_bar
from toolbox.traffic.examples import real_payloads
from toolbox.traffic.sender import FrontDoorAnswer, send_all

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping, Sequence

    from local.endpoints import Endpoints
    from settings.source.loader import LoadedSource

FOLDER = REPOSITORY / "build" / "demo"
SOURCES = ("github", "generic", demo_source.NAME, *demo_source.SENDERS)
SETTLE_SECONDS = 60.0


def demo(
    *,
    keep: Annotated[
        bool | None,
        typer.Option(
            "--console/--no-console",
            help="Show it in a browser at the end, until Ctrl-C; default: on a terminal.",
        ),
    ] = None,
) -> None:
    """Start the pipeline, send 329 real GitHub webhooks and some bad ones, account for each.

    Webhooks of other senders go along, and the events of an API are fetched. Then mend the wrong
    schema of a source, replay what it had rejected, and audit it all. On a terminal the pipeline
    stays, with the address of its console, until Ctrl-C.

    Exit status: 0 the accounts add up, 1 they do not.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mozdef-ef-demo-") as folder,
        SystemLog() as api,
        _Stacks(Path(folder), api) as stacks,
    ):
        state = Path(folder) / "state"
        shown = console.is_terminal if keep is None else keep
        faults = _send_and_account(stacks, state) or _mend_and_replay(stacks, state, shown=shown)
    for fault in faults:
        console.print(f"does not add up: {fault}", style="red")
    if faults:
        raise typer.Exit(DOES_NOT_HOLD)
    console.print("Every event is accounted for.", style="green")


class _Stacks:
    """The demo's stacks: before and after the schema is mended.

    The process that writes the first waits for the second, and takes a tenth of the time for it.
    """

    def __init__(self, throw_away: Path, api: SystemLog) -> None:
        # The stack holds the API's address. With another one than usual it is not worth keeping.
        self._folder = FOLDER if api.port == PORT else throw_away / "build"
        self._synthesizer = Synthesizer(demo_source.STAGE, self._folder / "config")
        self.api = api

    def __enter__(self) -> Self:
        self._synthesizer.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._synthesizer.__exit__()

    @property
    def sources(self) -> Path:
        """The private sources, as the last stack has them."""
        return self._folder / "config" / "sources"

    def synthesize(self, *, broken: bool) -> Path:
        """Write the stack, and return its assembly."""
        demo_source.write_config(self._folder / "config", broken=broken, api=self.api.base_url)
        assembly = self._folder / ("before" if broken else "after") / "cdk.out"
        with console.status("synthesizing the stack"):
            self._synthesizer.synthesize(assembly)
        return assembly


def _send_and_account(stacks: _Stacks, state: Path) -> list[str]:
    assembly = stacks.synthesize(broken=True)
    with LocalRuntime(assembly, state=state, port=None) as runtime:
        where = runtime.endpoints
        console.print(f"The stack runs at {where.api}, on emulated AWS services.")
        sources = load_sources(SOURCES, stacks.sources)
        secrets = {name: _secret(where, name) for name in sources}
        faults = _shake_hands(where, sources, secrets)
        parts = [
            *make_parts(sources, secrets, real_payloads(), time.time),
            *sender_parts(sources, secrets, time.time),
        ]
        answers = _send(where, parts)
        # Idle also means that the first poll is over.
        runtime.wait_until_idle(SETTLE_SECONDS)
        accepted = sum(answer.accepted for answer in answers)
        counted = _wait_until_settled(state / "logs", accepted + stacks.api.served)
        holdings = look(where)
    if stacks.api.tokens != {_secret(where, demo_source.POLLED)}:
        faults.append("the System Log was asked with another token than the source's own")
    return faults + report(parts, answers, counted, holdings, stacks.api)


def _secret(where: Endpoints, name: str) -> str:
    return next(iter(where.parameters[name].values())).splitlines()[0]


def _shake_hands(
    where: Endpoints, sources: Mapping[str, LoadedSource], secrets: Mapping[str, str]
) -> list[str]:
    """Ask as senders do that want to see whose address it is."""
    asked = handshakes(sources, secrets, time.time())
    found = [(one, one.is_answered(where.api)) for one in asked]
    rows = [(one.label, "answered" if good else "not answered") for one, good in found]
    print_table("Handshakes", ("sender", "is"), rows)
    return [
        f"handshake of {one.label}: not answered as it must be" for one, good in found if not good
    ]


def _send(where: Endpoints, parts: Sequence[Part]) -> list[FrontDoorAnswer]:
    answers: list[FrontDoorAnswer] = []
    total = sum(len(part.requests) for part in parts)
    start = time.monotonic()
    with progress_bar() as progress:
        task = progress.add_task("send webhooks", total=total, rate="")

        def on_answer(answer: FrontDoorAnswer) -> None:
            answers.append(answer)
            done = len(answers) / (time.monotonic() - start)
            progress.update(task, advance=1, rate=f"{done:,.0f}/s")

        for part in parts:
            asyncio.run(send_all(where.api, part.requests, on_answer=on_answer))
    return answers


def _wait_until_settled(logs: Path, accepted: int) -> dict[str, Counter[str]]:
    """Wait until the processors have counted as many events as were accepted and fetched."""
    end = time.monotonic() + SETTLE_SECONDS
    with console.status("waiting until every event has its outcome"):
        while True:
            counted = counters(logs)
            received = sum(counter["Received"] for counter in counted.values())
            if received >= accepted or time.monotonic() > end:
                return counted
            time.sleep(0.2)


def _mend_and_replay(stacks: _Stacks, state: Path, *, shown: bool) -> list[str]:
    """Deploy the mended schema, replay what the wrong one rejected, and audit everything.

    Parameters
    ----------
    shown : bool
        Whether the pipeline stays, with its console, where all adds up.
    """
    name = demo_source.NAME
    console.print()
    console.print(f"Now the wrong schema of the source {name} is mended and deployed.")
    mended = stacks.synthesize(broken=False)
    with LocalRuntime(mended, state=state, port=None) as runtime:
        _command(state, "replay", "--kind", "rejected", "--source", name)
        runtime.wait_until_idle(SETTLE_SECONDS)
        _command(state, "audit")
        found = orjson.loads(_command(state, "audit", "--json", show=False))
        faults = _unrecovered(found, name)
        if shown and not faults:
            console.print("Every event is accounted for. See each one:", style="green")
            scene = open_scene(state, None, writable=True, private=stacks.sources)
            serve(scene, 0, browser=False)
    return faults


def _unrecovered(found: Any, name: str) -> list[str]:
    """Compare the audit with what the demo has sent."""
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
        console.print()
        console.print(f"$ mozdef-ef {' '.join(words)}", style="bold")
    done = subprocess.run(
        [program, *words, "--state", str(state)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if show:
        console.lines(done.stdout.rstrip())
    if done.returncode:
        console.lines(done.stderr.rstrip())
    return done.stdout
