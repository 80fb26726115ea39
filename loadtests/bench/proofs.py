"""What it costs to check each kind of proof, and to load what checks it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jwt
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from loadtests.bench.measuring import Contender, WorkError, compare
from pipeline.event.secrets import only
from pipeline.event.signatures import find_fault, sign
from settings.source.loader import load_source
from toolbox.sources.rehearsal import compiled

if TYPE_CHECKING:
    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.secrets import SecretsOf

_TIMES = 200
SECRET = "a-secret-that-has-32-bytes-or-so"  # noqa: S105 - of the benchmarks alone
_BODY = json.dumps({"token": SECRET, "text": "x" * 1_000}).encode()
_HEADER = "X-Sig"
_KEPT = {"headers": {"keep": [_HEADER]}}
_TOPIC = "arn:aws:sns:eu-central-1:123456789012:alerts"
_HASHED = {"header": _HEADER, "body_hash": {"claim": "sha256"}}
_SOURCES: dict[str, dict[str, Any]] = {
    "hmac": {"authentication": {"type": "hmac", "header": _HEADER}, **_KEPT},
    "ed25519": {"authentication": {"type": "public_key", "algorithm": "ed25519"}},
    "ecdsa": {"authentication": {"type": "public_key", "algorithm": "ecdsa-p256-sha256"}},
    "rsa": {"authentication": {"type": "public_key", "algorithm": "rsa-sha256"}},
    "jwt-hs256": {"authentication": {"type": "jwt", "algorithms": ["HS256"], **_HASHED}, **_KEPT},
    "jwt-rs256": {"authentication": {"type": "jwt", "algorithms": ["RS256"], **_HASHED}, **_KEPT},
    "jwt-es256": {"authentication": {"type": "jwt", "algorithms": ["ES256"], **_HASHED}, **_KEPT},
    "sns": {
        "authentication": {"type": "sns", "topics": [_TOPIC]},
        "content_types": ["text/plain"],
    },
    "body-token": {"authentication": {"type": "body_token", "path": "token"}},
}
_LOADED = {
    "nothing but Python": "pass",
    "cryptography": "import pipeline.event.proofs.keys as k; k.fits(None, 'ed25519')",
    "cryptography and PyJWT": "import pipeline.event.proofs.json_web_token as t; t._algorithms()",
}


class _Proved(NamedTuple):
    headers: dict[str, str]
    body: bytes
    secrets_of: SecretsOf


def run(rounds: int, times: int = _TIMES) -> dict[str, dict[str, float]]:
    """Measure each kind of proof of a body of 1 KB, its key known.

    Returns
    -------
    dict[str, dict[str, float]]
        Microseconds of CPU for an event, by kind; milliseconds of CPU of what is loaded once.
    """
    with tempfile.TemporaryDirectory() as folder:
        loaded = {name: load_source(_written(Path(folder), name)) for name in _SOURCES}
        with compiled(loaded) as catalog:
            contenders = {
                name: Contender(partial(_check, catalog.sources[name], request, times))
                for name, request in _requests(catalog.sources["hmac"]).items()
            }
            found = compare(contenders, rounds)
    started = {name: _started(code) for name, code in _LOADED.items()}
    python = started.pop("nothing but Python")
    return {
        "proofs_us": {name: round(one.median, 1) for name, one in found.items()},
        "proofs_loaded_ms": {name: round(ms - python, 1) for name, ms in started.items()},
    }


def _written(folder: Path, name: str) -> Path:
    settings = _SOURCES[name]
    if settings["authentication"]["type"] == "public_key":
        how = {**settings["authentication"], "header": _HEADER, "encoding": "base64"}
        settings = {"authentication": how, **_KEPT}
    (folder / name).mkdir()
    document = {"version": 1, "title": name, **settings}
    (folder / name / "source.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder / name


def _requests(signing: CompiledSource) -> dict[str, _Proved]:
    own_rsa = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    own_ec, own_ed = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    claims = {"iss": "sender", "sha256": hashlib.sha256(_BODY).hexdigest()}
    secret = only(SECRET.encode())
    if signing.signature is None:
        raise AssertionError("a source with an HMAC has a signature")
    of_rsa = own_rsa.sign(_BODY, padding.PKCS1v15(), hashes.SHA256())
    return {
        "hmac": _Proved(_with(sign(signing.signature, SECRET.encode(), _BODY)), _BODY, secret),
        "ed25519": _signed(own_ed.sign(_BODY), own_ed),
        "ecdsa": _signed(own_ec.sign(_BODY, ec.ECDSA(hashes.SHA256())), own_ec),
        "rsa": _signed(of_rsa, own_rsa),
        "jwt-hs256": _Proved(_with(jwt.encode(claims, SECRET, "HS256")), _BODY, secret),
        "jwt-rs256": _Proved(_with(jwt.encode(claims, own_rsa, "RS256")), _BODY, _public(own_rsa)),
        "jwt-es256": _Proved(_with(jwt.encode(claims, own_ec, "ES256")), _BODY, _public(own_ec)),
        "sns": _of_sns(own_rsa),
        "body-token": _Proved({}, _BODY, secret),
    }


def _with(value: str) -> dict[str, str]:
    return {_HEADER.lower(): value}


def _signed(signature: bytes, key: Any) -> _Proved:
    return _Proved(_with(base64.b64encode(signature).decode()), _BODY, _public(key))


def _public(key: Any) -> SecretsOf:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return only(base64.b64encode(der))


def _of_sns(key: rsa.RSAPrivateKey) -> _Proved:
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    first, last = now - timedelta(days=1), now + timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, first, last)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    fields = {
        "Message": _BODY.decode(),
        "MessageId": "m-1",
        "Timestamp": now.isoformat(timespec="milliseconds"),
        "TopicArn": _TOPIC,
        "Type": "Notification",
    }
    text = "".join(f"{field}\n{value}\n" for field, value in fields.items())
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    address = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem"
    more = {"SignatureVersion": "2", "SigningCertURL": address}
    message = {**fields, **more, "Signature": base64.b64encode(signature).decode()}
    return _Proved({}, json.dumps(message).encode(), only(certificate))


def _check(source: CompiledSource, request: _Proved, times: int) -> int:
    now_ms = int(time.time() * 1_000)
    for _ in range(times):
        fault = find_fault(source, request.secrets_of, request.headers, request.body, now_ms)
        if fault is not None:
            raise WorkError(f"{source.name}: {fault[1]}")
    return times


def _started(code: str) -> float:
    """Return what a fresh Python takes for some code, in milliseconds of CPU, the least of five."""
    program = f"import time\n{code}\nprint(time.process_time())"
    taken = (
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        ).stdout
        for _ in range(5)
    )
    return min(map(float, taken)) * 1_000
