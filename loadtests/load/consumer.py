"""Reads the queues as MozDef's worker does, and notes each message.

A process of its own, beside the load: it receives, notes and deletes. How fast it is has no part
in the latency: SQS says of each message when it took it (`SentTimestamp`, milliseconds), and
without a delay that is when it can be received.

Run as `python -m loadtests.load.consumer` with a `Queues` as the first line of standard input. It
leaves when standard input is closed and a look at each queue found nothing.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from loadtests.fresh import TOKEN
from pipeline.aws.account import Account
from pipeline.aws.connections import Patience
from pipeline.aws.json_service import JsonService
from pipeline.errors import PipelineError
from pipeline.local.processes import Child, ProcessFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_MESSAGES = 10
_PAUSE_SECONDS = 0.1
_INVISIBLE_SECONDS = 600
_READ_SECONDS = 60.0


class MessagesError(PipelineError):
    """What the consumer noted is broken."""


@dataclass(frozen=True)
class Queues:
    """What the process needs to know.

    Parameters
    ----------
    endpoint_url, region : str
        Where SQS is.
    urls : list[str]
        The queues.
    file : str
        Where the messages are noted.
    """

    endpoint_url: str
    region: str
    urls: list[str]
    file: str


class Message(NamedTuple):
    """A message that was received.

    Parameters
    ----------
    id : str
        SQS's.
    sent : float
        When it could be received, in epoch seconds.
    tokens : tuple[str, ...]
        The tokens in it, each once.
    """

    id: str
    sent: float
    tokens: tuple[str, ...]


class Consumer:
    """The process, seen from the load test.

    Parameters
    ----------
    queues : Queues
        What it reads.
    log : Path
        What its output is appended to.
    """

    def __init__(self, queues: Queues, log: Path) -> None:
        self._file = Path(queues.file)
        self._child = Child(
            "the consumer of the queues",
            "loadtests.load.consumer",
            log=log,
            first_line=json.dumps(asdict(queues)),
        )

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._child.pid

    def check(self) -> None:
        """Make sure that it runs; ProcessFailedError otherwise."""
        self._child.check()

    def stop(self) -> None:
        """Have it read what is left, and leave."""
        self._child.stop()

    def messages(self) -> Iterator[Message]:
        """Read what it noted.

        Raises
        ------
        PipelineError
            When it did not come to its end.
        """
        with self._file.open(encoding="ascii") as lines:
            for line in lines:
                if line == "end\n":
                    return
                try:
                    identifier, sent, *tokens = line.split()
                    yield Message(identifier, int(sent) / 1000, tuple(tokens))
                except ValueError:
                    raise MessagesError(f"{self._file.name}: a line is broken off") from None
        raise ProcessFailedError(f"{self._child.name} was ended early; see {self._child.log}")


def _note(message: dict[str, Any]) -> str:
    found = dict.fromkeys(TOKEN.findall(message["Body"].encode()))
    tokens = [one.decode().replace("-", "") for one in found]
    return " ".join([message["MessageId"], message["Attributes"]["SentTimestamp"], *tokens])


def _read(sqs: JsonService, url: str, file: TextIO) -> int:
    """Take what is on a queue, ten at a time; give how many messages that were."""
    count = 0
    receive = {
        "QueueUrl": url,
        "MaxNumberOfMessages": _MOST_MESSAGES,
        "AttributeNames": ["SentTimestamp"],
        "VisibilityTimeout": _INVISIBLE_SECONDS,
    }
    while messages := sqs.call("ReceiveMessage", receive).get("Messages", []):
        file.writelines(_note(message) + "\n" for message in messages)
        file.flush()
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
        ]
        sqs.call("DeleteMessageBatch", {"QueueUrl": url, "Entries": entries})
        count += len(messages)
        if len(messages) < _MOST_MESSAGES:
            break
    return count


def consume(queues: Queues, stop: threading.Event) -> None:
    """Read the queues until they are to be left and are empty.

    Parameters
    ----------
    queues : Queues
        What is read.
    stop : threading.Event
        Set once nothing more is put on them.
    """
    account = Account(queues.region, "test", "test", endpoint_url=queues.endpoint_url)
    sqs = JsonService(account, "sqs", "AmazonSQS", "1.0", Patience(read_seconds=_READ_SECONDS))
    with Path(queues.file).open("w", encoding="ascii") as file:
        while True:
            last = stop.is_set()
            count = 0
            for url in queues.urls:
                count += _read(sqs, url, file)
            if last and not count:
                break
            if count < _MOST_MESSAGES:
                stop.wait(_PAUSE_SECONDS)
        file.write("end\n")


def main() -> None:
    """Read until standard input is closed."""
    queues = Queues(**json.loads(sys.stdin.buffer.readline()))
    stop = threading.Event()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        stop.set()

    threading.Thread(target=watch, daemon=True).start()
    consume(queues, stop)


if __name__ == "__main__":
    main()
