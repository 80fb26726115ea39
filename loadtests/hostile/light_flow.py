"""A light flow of good events of another source, on the same shard, and how long each takes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self

import orjson

from loadtests.fresh import TOKEN, new_token
from pipeline.event.envelope import Envelope, encode_envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.endpoints import Endpoints

#: A source of its own; nothing hostile is sent to it.
SOURCE = "generic-hmac"
#: Of all records: they meet in one shard.
PARTITION_KEY = "k"
_PAUSE_SECONDS = 0.25


class LightFlow:
    """Puts events on the stream and takes their messages off the queue; a context manager.

    Parameters
    ----------
    kinesis, sqs : Any
        boto3's clients.
    sign : Callable[[bytes], dict[str, str]]
        Returns the headers that a body is signed with.
    """

    def __init__(
        self, kinesis: Any, sqs: Any, endpoints: Endpoints, sign: Callable[[bytes], dict[str, str]]
    ) -> None:
        self._kinesis, self._sqs, self._sign = kinesis, sqs, sign
        self._stream, self._queue = endpoints.stream, endpoints.queues[SOURCE]
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._sent: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._threads = [threading.Thread(target=run) for run in (self._put, self._take)]
        self._fault: Exception | None = None

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def longest_since(self, start: float) -> float:
        """Return the longest time that an event took which was put since then, in seconds.

        One that is still on its way has taken until now. Raises what a thread raised.
        """
        if self._fault is not None:
            raise self._fault
        now = time.monotonic()
        with self._lock:
            took = [
                self._took.get(token, now) - sent
                for token, sent in self._sent.items()
                if sent >= start
            ]
        return max(took, default=0.0)

    def came_out_since(self, start: float) -> bool:
        """Tell whether an event that was put since then came out; raises what a thread raised."""
        if self._fault is not None:
            raise self._fault
        with self._lock:
            return any(self._sent[token] >= start for token in self._took)

    def _put(self) -> None:
        try:
            while not self._stop.wait(_PAUSE_SECONDS):
                token = str(new_token())
                body = orjson.dumps({"token": token})
                ms = int(time.time() * 1000)
                envelope = Envelope(token, ms, SOURCE, "127.0.0.1", body, "", self._sign(body))
                with self._lock:
                    self._sent[token] = time.monotonic()
                self._kinesis.put_record(
                    StreamName=self._stream,
                    PartitionKey=PARTITION_KEY,
                    Data=encode_envelope(envelope),
                )
        except Exception as error:  # noqa: BLE001 - told by who asks for figures
            self._fault = error

    def _take(self) -> None:
        try:
            while not self._stop.is_set():
                answer = self._sqs.receive_message(
                    QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=1
                )
                now = time.monotonic()
                for message in answer.get("Messages", []):
                    for token in TOKEN.findall(message["Body"].encode()):
                        with self._lock:
                            if token.decode() in self._sent:
                                self._took.setdefault(token.decode(), now)
                    self._sqs.delete_message(
                        QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"]
                    )
        except Exception as error:  # noqa: BLE001 - told by who asks for figures
            self._fault = error
