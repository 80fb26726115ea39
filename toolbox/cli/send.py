"""`mozdef-ef send`: sign and send payloads, as a source's sender would."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from local.state import is_settled
from toolbox.cli import completing
from toolbox.cli.source_options import SourceName, load_one
from toolbox.deployments import DEFAULT_STATE, State, running
from toolbox.project.options import completed
from toolbox.terminal.nearest import unknown
from toolbox.terminal.output import (
    DOES_NOT_HOLD,
    errors,
    print_json,
    print_table,
    progress_bar,
)
from toolbox.traffic.sender import COPY, SPOILT, FrontDoorAnswer, send_all

if TYPE_CHECKING:
    from pathlib import Path

    from settings.source.loader import LoadedSource

_LOOK_SECONDS = 0.1


def send(
    source: SourceName,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TYPE|SAMPLE|FILE]...",
            help="What to send, such as push: all samples of a type, one sample, or a file with a "
            "body. None: every sample that is delivered.",
            autocompletion=completed(completing.words),
        ),
    ] = None,
    *,
    count: Annotated[
        int | None, typer.Option(min=1, help="How many requests; the payloads are repeated.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.01, help="Requests a second; default: no limit.")
    ] = None,
    duplicate_every: Annotated[
        int, typer.Option(min=0, help="Make each K-th request a copy of the one before it.")
    ] = 0,
    corrupt_every: Annotated[
        int, typer.Option(min=0, help="Spoil the signature or token of each K-th request.")
    ] = 0,
    header: Annotated[
        list[str] | None,
        typer.Option(help="A further header, such as 'X-GitHub-Event: push'; may be repeated."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until each has its outcome, in the archive too.")
    ] = False,
    state: State = DEFAULT_STATE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Sign payloads and send them to the local pipeline; each is an event of its own.

    A source that tells events apart by a header gets a new delivery id each time; one that goes
    by the body's hash gets a field 'sent' in the body. A sample that is to be refused for its
    proof is not sent; --corrupt-every makes such requests.

    Exit status: 0 each request without a spoilt signature was accepted, 1 some were not.
    """
    where = running(state)
    loaded = load_one(source)
    if source not in where.queues:
        raise unknown("source in the running pipeline", source, where.queues)
    secret = next(iter(where.parameters.get(source, {}).values()), "\n").splitlines()[0]
    headers = _parse_headers(header or [])
    from toolbox.traffic.requests import make_requests, payloads

    total = count or len(payloads(loaded, what or [], headers))
    requests = make_requests(
        loaded,
        what or [],
        secret=secret,
        count=total,
        headers=headers,
        duplicate_every=duplicate_every,
        corrupt_every=corrupt_every,
    )
    answers: list[FrontDoorAnswer] = []
    start = time.monotonic()
    with progress_bar() as progress:
        task = progress.add_task(f"send {source}", total=total, rate="")

        def on_answer(answer: FrontDoorAnswer) -> None:
            answers.append(answer)
            done = len(answers) / max(time.monotonic() - start, 0.001)
            progress.update(task, advance=1, rate=f"{done:,.0f}/s")

        asyncio.run(send_all(where.api, requests, rate=rate, on_answer=on_answer))
    _report(loaded, answers, time.monotonic() - start, as_json=as_json)
    if wait:
        _wait_until_settled(state)
    if any(not answer.accepted for answer in answers if answer.outgoing.label != SPOILT):
        raise typer.Exit(DOES_NOT_HOLD)


def _wait_until_settled(state: Path) -> None:
    """Wait until what is on the stream by now has been fetched, settled and archived.

    Raises
    ------
    NotRunningError
        When the pipeline ends meanwhile.
    """
    since = time.time()
    with errors.status("waiting until all has its outcome and is archived"):
        while True:
            running(state)  # it says so where none does any more
            if is_settled(state, since):
                return
            time.sleep(_LOOK_SECONDS)


def _parse_headers(lines: list[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, separator, value = line.partition(":")
        if not separator or not name.strip():
            raise typer.BadParameter(f"{line!r} is not 'Name: value'", param_hint="--header")
        headers[name.strip()] = value.strip()
    return headers


_KINDS = {COPY: "copy", SPOILT: "spoilt"}
_ODD = {"copy": "copies", "spoilt": "spoilt"}


def _without_word(status: int) -> str:
    return "accepted" if 200 <= status < 300 else "refused without a word"


def _report(
    source: LoadedSource, answers: list[FrontDoorAnswer], seconds: float, *, as_json: bool
) -> None:
    counts = Counter(
        (answer.status, answer.error, answer.message, _KINDS.get(answer.outgoing.label, "event"))
        for answer in answers
    )
    kinds = Counter(_KINDS.get(answer.outgoing.label, "event") for answer in answers)
    times = sorted(answer.seconds for answer in answers)
    median = times[len(times) // 2] * 1000 if times else 0.0
    if as_json:
        print_json(
            {
                "source": source.name,
                "sent": len(answers),
                "copies": kinds["copy"],
                "spoilt": kinds["spoilt"],
                "accepted": sum(answer.accepted for answer in answers),
                "seconds": round(seconds, 3),
                "median_ms": round(median, 1),
                "answers": [
                    {"status": status, "error": error, "message": message, "kind": kind,
                     "count": number}
                    for (status, error, message, kind), number in sorted(counts.items())
                ],
            }
        )  # fmt: skip
        return
    odd = [f"{name} {kinds[kind]:,}" for kind, name in _ODD.items() if kinds[kind]]
    number = f"{len(answers):,} request{'' if len(answers) == 1 else 's'}"
    among = f" ({', '.join(odd)})" if odd else ""
    title = f"{number}{among} in {seconds:.1f} s, median answer {median:.0f} ms"
    rows = [
        (status, message or error or _without_word(status), *([kind] if odd else []), number)
        for (status, error, message, kind), number in sorted(counts.items())
    ]
    print_table(title, ("status", "answer", *(["sent as"] if odd else []), "requests"), rows)
