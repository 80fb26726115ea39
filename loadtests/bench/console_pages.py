"""The console over 100,000 events of this day: its pages by the clock, and its memory.

The events take the way of any other, from the stream on. The console is a process of its own, and
is asked as a browser asks it. Run as `python -m loadtests.bench.console_pages STATE` it is that
process, until its standard input is closed.
"""

from __future__ import annotations

import http.client
import random
import re
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from loadtests.bench.gateway import ASSEMBLY, CONFIG, STAGE
from loadtests.bench.measuring import WorkError
from loadtests.bench.payloads import envelopes, github_deliveries, plain_deliveries
from loadtests.load.runtime import OwnPipeline
from loadtests.load.standstill import Standstill
from local.leaving import leave_with_parent
from local.processes import Child
from local.state import is_settled
from settings.source.loader import load_sources
from toolbox.console.serving import open_scene, serve
from toolbox.deployments import local_clients
from toolbox.synthesis import synthesize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_kinesis.type_defs import PutRecordsRequestEntryTypeDef

    from local.endpoints import Endpoints

EVENTS = 100_000
#: One event of so many is GitHub's with a signature that nobody made, which is rejected.
FORGED = 100
_IN_A_CALL = 500  # of PutRecords
_HANGS_SECONDS = 300.0
_ENTRY = re.compile(r"http://\S+/enter\?token=\S+")
#: What is looked for, by what it is called in the figures.
PAGES = {
    "first_page": "/now",
    "tickets": "/tickets",
    "events": "/events",
    "search_rejected": "/events?outcome=rejected",
    "search_text_that_nothing_has": "/events?text=of+no+event",
}


def run(folder: Path, rounds: int, events: int = EVENTS) -> dict[str, Any]:
    """Measure the pages of a console over so many events of this day.

    Returns
    -------
    dict[str, Any]
        `console`: `events`; `pages_ms`, the median of each page by the clock, of which `first_ms`
        are those that were asked for first; `memory_mb`, the most that its process held.
    """
    synthesize(STAGE, ASSEMBLY, CONFIG)
    with OwnPipeline(ASSEMBLY, folder / "console") as pipeline:
        fill(pipeline.endpoints, events)
        if pipeline.wait_until_drained(Standstill(_HANGS_SECONDS)) is None:
            raise WorkError("console: the events stand still on their way")
        _wait_for_the_archive(pipeline.state)
        return {"console": {"events": events, **measure(pipeline.state, rounds)}}


def fill(where: Endpoints, events: int) -> None:
    """Put events of 1 KB on the stream as the front door does; one in a hundred is forged."""
    sources = load_sources(("github", "generic"))
    stream = local_clients(where)("kinesis")
    forged = github_deliveries(sources["github"], "a secret of nobody's")
    for begin in range(0, events, _IN_A_CALL):
        number = min(_IN_A_CALL, events - begin)
        false = [forged[(begin + at) % len(forged)] for at in range(0, number, FORGED)]
        sound = plain_deliveries(sources["generic"], "", number - len(false))
        entries: list[PutRecordsRequestEntryTypeDef] = [
            {"Data": data, "PartitionKey": f"{random.random()}"}  # noqa: S311 - spreads them
            for data in envelopes([*false, *sound], sources)
        ]
        answer = stream.put_records(StreamName=where.stream, Records=entries)
        if answer["FailedRecordCount"]:
            raise WorkError(f"console: {answer['FailedRecordCount']} records were not taken")


def measure(state: Path, rounds: int) -> dict[str, Any]:
    """Start a console over what runs, and ask for its pages as a browser does."""
    log = state / "logs" / "console.txt"
    child = Child(
        "the console",
        "loadtests.bench.console_pages",
        arguments=[str(state)],
        environment={"PYTHONUNBUFFERED": "1"},
        log=log,
    )
    try:
        child.wait_for(lambda: bool(_ENTRY.search(log.read_text())), seconds=_HANGS_SECONDS)
        found = _ENTRY.findall(log.read_text())
        browser = Browser(found[-1])
        first = {name: browser.milliseconds(path) for name, path in PAGES.items()}
        later = {
            name: [browser.milliseconds(path) for _ in range(rounds)]
            for name, path in PAGES.items()
        }
        return {
            "pages_ms": {name: round(statistics.median(each)) for name, each in later.items()},
            "first_ms": {name: round(one) for name, one in first.items()},
            "memory_mb": _most_memory_mb(child.pid),
        }
    finally:
        child.stop()


class Browser:
    """Asks a console for pages, with the cookie that its address gave."""

    def __init__(self, entry: str) -> None:
        address = urlsplit(entry)
        self._connection = http.client.HTTPConnection(address.netloc, timeout=_HANGS_SECONDS)
        answer = self._get(f"{address.path}?{address.query}", {})
        self._headers = {"Cookie": (answer.headers["Set-Cookie"] or "").partition(";")[0]}

    def milliseconds(self, path: str) -> float:
        """Return how long a page takes, to its last byte.

        Raises
        ------
        WorkError
            When the answer is not the page.
        """
        begun = time.perf_counter()
        answer = self._get(path, self._headers)
        if answer.status != http.client.OK:
            raise WorkError(f"console: {path} was answered with {answer.status}")
        return (time.perf_counter() - begun) * 1e3

    def _get(self, path: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        self._connection.request("GET", path, headers=dict(headers))
        answer = self._connection.getresponse()
        answer.read()
        return answer


def _wait_for_the_archive(state: Path) -> None:
    """Wait until the archiver has kept everything, as the fan-out has."""
    since = time.time()
    if not Standstill(_HANGS_SECONDS).wait(lambda: is_settled(state, since), lambda: None):
        raise WorkError("console: the archiver does not come to its end")


def _most_memory_mb(pid: int) -> int:
    """Return VmHWM of proc_pid_status(5)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    (found,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return round(int(found) / 1_024)


if __name__ == "__main__":
    leave_with_parent()
    serve(
        open_scene(Path(sys.argv[1]), None, writable=False, private=CONFIG / "sources"),
        0,
        browser=False,
    )
