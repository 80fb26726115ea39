"""Sources that choose the receiver, and the requests of their senders."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, Any

from pipeline.event.compiled_source import Catalog, load_catalog
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import load_sources
from tests.support.bench import NOW_MS, SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: In the settings' own form, so that the tests do not depend on what the catalogue holds.
SOURCES = {
    "meetings": """\
version: 1
title: Signs body and time, and asks for an HMAC of a challenge
ingest: receiver
authentication:
  type: hmac
  header: X-Meet-Signature
  prefix: "v0="
  signed: "v0:{timestamp}:{body}"
  timestamp: {header: X-Meet-Time}
handshake:
  get: {header: X-Meet-Challenge, field: verification}
  post:
    path: event
    equals: url_validation
    challenge: payload.plainToken
    answer: {plainToken: $challenge, encryptedToken: $hmac}
headers: {keep: [X-Meet-Signature, X-Meet-Time], require: [X-Meet-Signature]}
delivery_id: {paths: [event, event_ts]}
""",
    "chat": """\
version: 1
title: Signs the body with a secret in base64, and wants its challenge back
ingest: receiver
authentication:
  type: hmac
  header: X-Chat-Signature
  secret: {prefix: whsec_, encoding: base64}
handshake:
  post:
    path: type
    equals: verify
    challenge: challenge
    answer: {challenge: $challenge, proof: $hmac}
content_types: [application/json, application/x-www-form-urlencoded]
form_field: payload
headers: {keep: [X-Chat-Signature, Content-Type]}
delivery_id: {path: id}
""",
    "parcels": """\
version: 1
title: A token from one network, and a delivery id in a header
ingest: receiver
authentication: {type: token, header: X-Gitlab-Token, prefix: "T "}
allowed_networks: [192.0.2.0/24, "2001:db8::/32"]
content_types: [application/json, text/plain]
headers: {keep: [X-Delivery, X-Kind, User-Agent, Content-Type]}
delivery_id: {header: X-Delivery}
event_type: {header: X-Kind}
""",
    "batches": """\
version: 1
title: Many events in one request
ingest: receiver
authentication: {type: token}
delivery_id: {path: id}
split: {path: events}
""",
}


def write_sources(directory: Path) -> Path:
    """Write the folders of the sources."""
    for name, settings in SOURCES.items():
        (directory / name).mkdir(parents=True)
        (directory / name / "source.yaml").write_text(settings, encoding="utf-8")
    return directory


def compile_sources(directory: Path, package: str, path: list[str]) -> Catalog:
    """Compile the sources, as the build does, into a package on this path."""
    sources = load_sources(sorted(SOURCES), write_sources(directory / "sources"))
    write_compiled_catalog(sources, directory, package)
    path.insert(0, str(directory))
    return load_catalog(package)


def proxy_event(
    source: str,
    body: bytes = b"{}",
    headers: Mapping[str, str] | None = None,
    *,
    ip: str = "192.0.2.7",
    request: str = "r-1",
    arrived_ms: int = NOW_MS,
) -> dict[str, Any]:
    """The event of a Lambda proxy integration, every body binary."""
    return {
        "resource": f"/{source}",
        "path": f"/{source}",
        "httpMethod": "POST",
        "headers": dict(headers) if headers else None,
        "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()} or None,
        "queryStringParameters": None,
        "requestContext": {
            "extendedRequestId": request,
            "requestId": "set by the caller",
            "requestTimeEpoch": arrived_ms,
            "identity": {"sourceIp": ip},
            "resourcePath": f"/{source}",
        },
        "body": base64.b64encode(body).decode() or None,
        "isBase64Encoded": bool(body),
    }


def meeting(
    body: bytes, *, secret: str = SECRET, signed_ms: int = NOW_MS, **headers: str
) -> dict[str, str]:
    """The headers of a signed request to `meetings`."""
    time = str(signed_ms // 1000)
    proof = hmac.new(secret.encode(), b"v0:" + time.encode() + b":" + body, "sha256").hexdigest()
    return {
        "Content-Type": "application/json; charset=utf-8",
        "X-Meet-Time": time,
        "X-Meet-Signature": f"v0={proof}",
        **headers,
    }


def chat(body: bytes, *, secret: str = SECRET, content_type: str = "") -> dict[str, str]:
    """The headers of a signed request to `chat`."""
    key = base64.b64decode(secret)
    headers = {"X-Chat-Signature": hmac.new(key, body, "sha256").hexdigest()}
    return {**headers, "Content-Type": content_type} if content_type else headers
