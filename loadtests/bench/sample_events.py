"""What each handler is invoked with for its first time: small, and such as AWS hands it over."""

from __future__ import annotations

import base64
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import orjson

from loadtests.bench.arena import BUCKET, CHECKPOINTS, FEED, POLLED, Arena
from loadtests.bench.payloads import (
    Webhook,
    envelopes,
    github_deliveries,
    records,
    small_deliveries,
)
from loadtests.bench.stand_ins import SECRET
from pipeline.archive.keys import RAW_PREFIX
from pipeline.archive.writer import ArchiveWriter
from pipeline.event.compiled_source import load_catalog
from pipeline.runtime.deadline import Deadline
from stream_processors.archiver import Archiver
from toolbox.sources.samples import authenticate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECORDS = 10
_HOST = "127.0.0.1"


def authorizer_event(arena: Arena) -> dict[str, Any]:
    """Return the event of a REQUEST authorizer: a request to the source with a token."""
    proof = authenticate(arena.sources["generic"], SECRET, b"{}", now=time.time())
    return {
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:us-west-2:000000000000:a1b2c3/bench/POST/generic",
        "resource": "/generic",
        "path": "/generic",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json", "User-Agent": "curl/8.5.0", **proof},
        "requestContext": {
            "extendedRequestId": "bench",
            "identity": {"sourceIp": "192.0.2.1"},
        },
    }


def receiver_event(delivery: Webhook) -> dict[str, Any]:
    """Return the event of a Lambda proxy integration for one delivery."""
    return {
        "resource": f"/{delivery.source}",
        "path": f"/{delivery.source}",
        "httpMethod": "POST",
        "headers": {**delivery.headers, "User-Agent": "Zoom Marketplace/1.0a"},
        "queryStringParameters": None,
        "requestContext": {
            "extendedRequestId": "bench",
            "requestId": "bench",
            "requestTimeEpoch": int(time.time() * 1000),
            "identity": {"sourceIp": "192.0.2.1"},
            "resourcePath": f"/{delivery.source}",
        },
        "body": base64.b64encode(delivery.body).decode(),
        "isBase64Encoded": True,
    }


def batch_event(arena: Arena, number: int = RECORDS) -> dict[str, Any]:
    """Return real GitHub events as an event source mapping hands them over."""
    found = github_deliveries(arena.sources["github"])
    deliveries = [found[place % len(found)] for place in range(number)]
    return {"Records": records(envelopes(deliveries, arena.sources))}


def replay_event(arena: Arena) -> dict[str, Any]:
    """Archive a batch, and give the event of a worker that replays it."""
    s3 = arena.emulator.client("s3")
    archiver = Archiver(load_catalog(), ArchiveWriter(s3, BUCKET))
    archiver.process(batch_event(arena)["Records"], Deadline(lambda: 60.0))
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=RAW_PREFIX)["Contents"]
    return {
        "BatchInput": {
            "job": "replay-20261123T210000-0a1b",
            "filter": {},
            "force": False,
            "limit": 3,
            "rate": 100_000,
        },
        "Items": [{"Key": one["Key"], "Size": one["Size"]} for one in found],
    }


@contextmanager
def makers(arena: Arena) -> Iterator[dict[str, Callable[[], dict[str, Any]]]]:
    """Return what makes an event for each handler, while there is a feed for the poller to read.

    Each event is new: one that was delivered before would be a duplicate, and less work.
    """
    replayed = replay_event(arena)
    checkpoint = {"pk": {"S": f"{POLLED}#{FEED}"}}
    dynamodb = arena.emulator.client("dynamodb")

    def poll() -> dict[str, Any]:
        dynamodb.delete_item(TableName=CHECKPOINTS, Key=checkpoint)
        return {"source": POLLED, "feed": FEED}

    with _feed() as url:
        arena.environment["POLL_TARGETS"] = orjson.dumps({POLLED: {"base_url": url}}).decode()
        yield {
            "authorizer": lambda: authorizer_event(arena),
            "poller": poll,
            "receiver": lambda: receiver_event(small_deliveries(arena.sources["zoom"], 1)[0]),
            "archiver": lambda: batch_event(arena),
            "fan_out": lambda: batch_event(arena),
            "replay_worker": lambda: replayed,
            "reconciler": dict,
        }


@contextmanager
def _feed() -> Iterator[str]:
    """Serve a log with one event; give its base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            first = "after=" not in self.path
            body = orjson.dumps([_LOGGED] if first else [])
            link = f"{url}/api/v1/logs?after=1&sortOrder=ASCENDING"
            self.send_response(200)
            self.send_header("Link", f'<{link}>; rel="next"')
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Write nothing."""

    server = ThreadingHTTPServer((_HOST, 0), Handler)
    server.daemon_threads = True
    url = f"http://{_HOST}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_LOGGED = {
    "uuid": "7f0d1c52-0000-11f0-8000-000000000001",
    "published": "2026-11-23T20:08:23.123Z",
    "eventType": "user.session.start",
    "version": "0",
    "severity": "INFO",
    "displayMessage": "User login to Okta",
    "actor": {"id": "00u1", "type": "User", "alternateId": "alice@example.com"},
    "outcome": {"result": "SUCCESS", "reason": None},
    "target": None,
}
