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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from loadtests.fresh import TOKEN
from loadtests.load.messages import END
from local.leaving import stopped_with_parent
from local.processes import Child, ProcessFailedError
from pipeline.aws.account import Account
from pipeline.aws.connections import ClientConfig
from pipeline.aws.json_service import JsonService
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from loadtests.load.standstill import Standstill

_MOST_MESSAGES = 10
_PAUSE_SECONDS = 0.1
_INVISIBLE_SECONDS = 600
_READ_TIMEOUT = 60.0


class ConsumerStalledError(PipelineError):
    """The consumer was ended because it made no progress."""


@dataclass(frozen=True)
class Queues:
    """What the process needs to know.

    Parameters
    ----------
    endpoint_url, region : str
        Where SQS is.
    access_key_id, secret_access_key : str
        Who may read there.
    file : str
        Where the messages are noted.
    """

    endpoint_url: str
    region: str
    access_key_id: str
    secret_access_key: str
    urls: list[str]
    file: str


class Consumer:
    """The process, seen from the load test."""

    def __init__(self, queues: Queues, log: Path, start: Callable[..., Child] = Child) -> None:
        self._file = Path(queues.file)
        self._child = start(
            "the consumer of the queues",
            "loadtests.load.consumer",
            log=log,
        )
        self._child.tell(json.dumps(asdict(queues)))

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._child.pid

    def check(self) -> None:
        """Make sure that it runs; ProcessFailedError otherwise."""
        self._child.check()

    def drain(self, still: Standstill) -> None:
        """Have it read what is left, and leave: it has the time that it needs.

        Parameters
        ----------
        still : Standstill
            Says when it has noted nothing for too long.

        Raises
        ------
        ConsumerStalledError
            When it was ended for that.
        ProcessFailedError
            When it ended by itself before it had read everything.
        """
        stalled = False

        def goes_on() -> bool:
            nonlocal stalled
            stalled = still.reached(self._noted_bytes())
            return not stalled

        self._child.stop(goes_on)
        if stalled:
            raise ConsumerStalledError(
                f"{self._child.name} had noted {self._noted():,} messages and then none for "
                f"{still.seconds:.0f} seconds, so it was ended with messages left; see "
                f"{self._child.log}, and the logs of the pipeline"
            )
        if not self._finished():
            raise ProcessFailedError(
                f"{self._child.name} ended before it had read everything; see {self._child.log}"
            )

    def stop(self) -> None:
        """Have it leave, whatever it has read."""
        self._child.stop()

    def _noted_bytes(self) -> int:
        return self._file.stat().st_size if self._file.exists() else 0

    def _noted(self) -> int:
        if not self._file.exists():
            return 0
        with self._file.open("rb") as lines:
            return sum(1 for _ in lines)

    def _finished(self) -> bool:
        if self._noted_bytes() < len(END):
            return False
        with self._file.open("rb") as file:
            file.seek(-len(END), os.SEEK_END)
            return file.read() == END.encode()


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
        "WaitTimeSeconds": 0,
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
    """Read the queues until they are to be left and are empty."""
    account = Account(
        queues.region,
        queues.access_key_id,
        queues.secret_access_key,
        endpoint_url=queues.endpoint_url,
    )
    sqs = JsonService(account, "sqs", "AmazonSQS", "1.0", ClientConfig(read_timeout=_READ_TIMEOUT))
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
        file.write(END)


def main() -> None:
    """Read until standard input is closed."""
    queues = Queues(**json.loads(sys.stdin.buffer.readline()))
    consume(queues, stopped_with_parent())


if __name__ == "__main__":
    main()
