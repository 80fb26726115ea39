"""The running local pipeline that is attacked, and what an honest sender has beside it."""

from __future__ import annotations

import gzip
import http.client
import json
import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local import endpoints
from settings.source.loader import load_sources
from toolbox.deployments import local_clients
from toolbox.sources.samples import authenticate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from settings.source.loader import LoadedSource

_SECONDS = 300.0


class AttackedPipeline:
    """Sends, looks into queues and archive, and knows the secrets of honest senders.

    Parameters
    ----------
    state : Path
        The state directory of the pipeline.
    template : Mapping[str, Any]
        The stack's template.
    scratch : Path
        An empty folder.
    pids : Callable[[], Sequence[int]]
        Returns the processes of the runtime.
    wait : Callable[[], object]
        Returns when all that is on the stream by now has its outcome.
    """

    def __init__(
        self,
        *,
        state: Path,
        template: Mapping[str, Any],
        scratch: Path,
        pids: Callable[[], Sequence[int]],
        wait: Callable[[], object],
    ) -> None:
        self.state, self.template, self.scratch, self.pids = state, template, scratch, pids
        self.where = endpoints.read(state)
        loaded = load_sources(sorted(self.where.queues))
        self.sources = {name: one for name, one in loaded.items() if one.settings.ingest != "poll"}
        self._wait = wait
        #: Headers of answers that let web pages read them.
        self.for_pages: set[str] = set()
        self._messages: list[tuple[str, dict[str, Any]]] = []

    def secret(self, source: str) -> str:
        """Return the current secret of a source."""
        (value,) = self.where.parameters[source].values()
        return value.splitlines()[0]

    def sign(
        self, source: LoadedSource, body: bytes, headers: Mapping[str, str], **how: Any
    ) -> dict[str, str]:
        """Return headers with which an honest sender sends a body."""
        secret = how.pop("secret", None)
        known = self.secret(source.name) if secret is None else secret
        proof = authenticate(source, known, body, now=time.time(), headers=headers, **how)
        return {**headers, **proof}

    def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str] | Sequence[tuple[str, str]],
        method: str = "POST",
        url: str = "",
    ) -> tuple[int, bytes]:
        """Send a request as it is given; return status and body of the answer.

        A connection that is closed without an answer has the status 0.
        """
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        given = {name.lower() for name, _ in pairs}
        connection = http.client.HTTPConnection(
            urlsplit(url or self.where.api).netloc, timeout=_SECONDS
        )
        try:
            connection.putrequest(
                method, path, skip_host="host" in given, skip_accept_encoding=True
            )
            for name, value in pairs:
                connection.putheader(name, value.encode("latin-1", "replace"))
            if "content-length" not in given:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            names = {name.lower() for name, _ in answer.getheaders()}
            self.for_pages |= {name for name in names if name.startswith("access-control-")}
            return answer.status, answer.read()
        except (ConnectionError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def client(self, service: Any) -> Any:
        """Return a client of the emulator with this run's own credentials."""
        return local_clients(self.where)(service)

    def settle(self) -> None:
        """Wait until all has its outcome, and take what came out."""
        self._wait()
        sqs = self.client("sqs")
        for source, url in self.where.queues.items():
            while found := sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0
            ).get("Messages", []):
                for one in found:
                    self._messages.append((source, json.loads(one["Body"])))
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])

    def events(self, mark: str) -> list[tuple[str, dict[str, Any]]]:
        """Return what came out with an `attack` of this value, each with its queue's source."""
        return [(source, one) for source, one in self._messages if _says(one, mark)]

    def archived(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Return each line of the archive below a prefix."""
        s3, bucket = self.client("s3"), self.where.archive_bucket
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for one in page.get("Contents", []):
                packed = s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
                yield from map(json.loads, gzip.decompress(packed).splitlines())


def new_mark() -> str:
    """Return a text that no other event has."""
    return f"mark-{uuid.uuid4().hex}"


def _says(value: Any, mark: str) -> bool:
    """Tell whether an `attack` with this value is anywhere in a message."""
    if isinstance(value, dict):
        return value.get("attack") == mark or any(_says(each, mark) for each in value.values())
    if isinstance(value, list):
        return any(_says(each, mark) for each in value)
    return False
