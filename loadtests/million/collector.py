"""Reads the stream, or the queues, while the run goes on, into a part of the books.

Run as `python -m loadtests.million.collector` with a `Collected` as the first line of standard
input. When that is closed it reads what is left, and leaves with status 0.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from loadtests.million.plain_sqs import PlainSqs
from loadtests.soak.books import Books
from loadtests.soak.evidence import read_all_queues
from loadtests.soak.stream_reader import SoakStreamReader
from local import emulator
from local.credentials import RunCredentials
from local.leaving import stopped_with_parent
from local.processes import Child

if TYPE_CHECKING:
    import threading

    from mypy_boto3_sqs import SQSClient

    from local.clients import Clients
    from local.endpoints import Endpoints

TABLES = {"stream": ("stream", "expected"), "queues": ("messages", "tickets")}
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Collected:
    """What the process needs to know.

    Parameters
    ----------
    what : str
        `stream` or `queues`.
    queues : list[str]
        The URLs of the queues for MozDef.
    """

    what: str
    file: str
    endpoint_url: str
    region: str
    access_key_id: str
    secret_access_key: str
    stream: str
    queues: list[str]
    dead_letters: str


def start_readers(where: Endpoints, state: Path) -> dict[str, Child]:
    """Start a process for each part; its books are in the state directory, by the part's name."""
    readers = {}
    for what in TABLES:
        collected = Collected(
            what,
            str(state / f"{what}.sqlite"),
            where.aws_endpoint_url,
            where.region,
            where.credentials.access_key_id,
            where.credentials.secret_access_key,
            where.stream,
            sorted(set(where.queues.values())),
            where.dead_letter_queue,
        )
        log = state / "logs" / f"reader-{what}.txt"
        readers[what] = Child(f"the reader of the {what}", "loadtests.million.collector", log=log)
        readers[what].tell(json.dumps(asdict(collected)))
    return readers


def collect(collected: Collected, stop: threading.Event) -> None:
    """Read until it is to stop, and then to the end."""
    credentials = RunCredentials(collected.access_key_id, collected.secret_access_key)
    client: Clients = emulator.clients(
        endpoint_url=collected.endpoint_url, region=collected.region, credentials=credentials
    )
    with Books(Path(collected.file), TABLES[collected.what]) as books:
        plain = PlainSqs(collected.endpoint_url, collected.region, credentials)
        sqs = cast("SQSClient", plain)
        reader = SoakStreamReader(client("kinesis"), collected.stream, books)
        while True:
            last = stop.is_set()
            if collected.what == "stream":
                reader.read()
            else:
                read_all_queues(books, sqs, collected.queues, collected.dead_letters)
            if last:
                return
            stop.wait(_PAUSE_SECONDS)


def main() -> None:
    """Read until standard input is closed."""
    collected = Collected(**json.loads(sys.stdin.buffer.readline()))
    collect(collected, stopped_with_parent())


if __name__ == "__main__":
    main()
