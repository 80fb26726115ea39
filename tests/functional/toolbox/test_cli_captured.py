"""`source new --captured`: from what was caught to a checked source, as a shell sees it."""

from __future__ import annotations

import base64
import gzip
import hmac
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from settings.source.loader import load_source
from tests.support.command import Done, run_here
from tests.support.libraries import LIBRARIES
from toolbox.sources.verification import signers, verification_of

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET, AT = "whsec_a-test-secret", 1_795_548_500


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Done]:
    monkeypatch.chdir(tmp_path)
    Path("secret").write_text(f"{SECRET}\n")
    return run_here


def event(number: int) -> bytes:
    return json.dumps(
        {"id": f"evt_{number}", "type": "check.down", "at": AT + number, "check": {"id": 41}}
    ).encode()


def har(*bodies: bytes, more: tuple[tuple[str, str], ...] = (), packed: bool = False) -> None:
    """Write what a proxy would have caught of a sender that signs with Stripe's library."""
    entries: list[dict[str, Any]] = []
    for number, body in enumerate(bodies):
        headers = [("Host", "h.example.com"), ("Content-Type", "application/json"), *more]
        headers += LIBRARIES["stripe"].sign(SECRET, body, AT + number).items()
        data = {"text": base64.b64encode(gzip.compress(body) if packed else body).decode()}
        request = {
            "method": "POST",
            "url": "https://h.example.com/in",
            "headers": [{"name": name, "value": value} for name, value in headers],
            "postData": data | {"encoding": "base64"},
        }
        entries.append({"request": request})
    Path("caught.har").write_text(json.dumps({"log": {"entries": entries}}))


def test_a_captured_request_makes_a_verified_source(run: Callable[..., Done]) -> None:
    har(event(1), event(2), more=(("Authorization", "Bearer private-token"),))
    new = ("source", "new", "watch", "--captured", "caught.har", "--secret-file", "secret")
    done = run(*new, "--keep-secret")
    assert done.status == 0, done.out + done.err
    assert "proved by the captured signature (2 of 2)" in done.out
    assert "that of the built-in source stripe" in done.out
    assert "header Authorization can hold a secret: its value is written nowhere" in done.out
    folder = Path("config/sources/watch")
    assert not any(b"private" in one.read_bytes() for one in folder.rglob("*.*"))
    source = load_source(folder)
    assert verification_of(source) == "verified"
    assert set(signers(source)) == {
        "capture caught.har, log.entries.0", "capture caught.har, log.entries.1",
    }  # fmt: skip
    assert run("source", "check", "watch", "--strict").status == 0
    settings = folder / "source.yaml"
    settings.write_text(settings.read_text().replace("algorithm: sha256", "algorithm: sha512"))
    assert run("source", "check", "watch").status == 1


def test_without_leave_the_secret_is_nowhere(run: Callable[..., Done]) -> None:
    har(event(1), event(2))
    new = ("source", "new", "watch", "--captured", "caught.har", "--secret-file", "secret")
    document = json.loads(run(*new, "--json").out)
    assert [
        *(label for label, text in document["evidence"] if "proved by the captured" in text),
        "proved",
    ] == ["scheme", "proved"]
    assert any("with a test secret, --keep-secret does" in note for note in document["notes"])
    files = [one for one in Path("config/sources/watch").rglob("*.*") if one.is_file()]
    assert not any(SECRET in one.read_text() for one in files)
    assert verification_of(load_source(Path("config/sources/watch"))) == "unverified"


def test_a_folder_does_not_say_where_on_this_machine_it_was_made(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    har(event(1))
    file = next(tmp_path.glob("*.har"))
    assert run("source", "new", "watch", "--captured", str(file)).status == 0
    files = [one for one in Path().rglob("watch/**/*") if one.is_file()]
    written = b"".join(one.read_bytes() for one in files)
    assert file.name.encode() in written
    assert str(tmp_path).encode() not in written


def test_what_can_be_a_secret_is_taken_out_of_a_form_and_a_header(run: Callable[..., Done]) -> None:
    form = urlencode({"token": "gIkuvaNzQIHg97ATvDxq", "password": "p+ss w/rd1", "text": "94070"})
    head = "POST /s HTTP/1.1\r\nHost: h.example.com\r\nX-Auth: kkkkkkkkkkkk\r\nX-Kind: a\r\n"
    kind = "Content-Type: application/x-www-form-urlencoded"
    Path("form.http").write_bytes(f"{head}{kind}\r\n\r\n{form}".encode())
    done = run("source", "new", "slash", "--captured", "form.http")
    assert "token of a body can be a secret: it is replaced" in done.out
    files = [one for one in Path().rglob("slash/**/*") if one.is_file()]
    written = b"".join(one.read_bytes() for one in files)
    assert b"94070" in written
    for secret in (b"gIkuva", b"p%2Bss", b"p+ss", b"kkkkkkkk"):
        assert secret not in written


def test_what_cannot_be_enabled_is_no_success(run: Callable[..., Done]) -> None:
    har(event(1))
    Path("config").mkdir()
    Path("config/dev.yaml").write_text("service: ingest\nsources: [github,]\n")
    done = run("source", "new", "watch", "--captured", "caught.har", "--enable")
    assert (done.status, "add watch to 'sources' there" in done.err) == (1, True)
    assert Path("config/sources/watch/source.yaml").is_file()


def test_a_packed_body_is_unpacked_as_the_door_does(run: Callable[..., Done]) -> None:
    har(event(1), event(2), more=(("Content-Encoding", "gzip"),), packed=True)
    new = ("source", "new", "watch", "--captured", "caught.har", "--secret-file", "secret")
    done = run(*new, "--keep-secret")
    assert done.status == 0, done.out
    assert "gzip: unpacked by API Gateway" in done.out
    assert run("source", "check", "watch", "--strict").status == 0


def test_a_secret_is_asked_for(run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.prompt", lambda _, **options: SECRET if options else "")
    har(event(1))
    done = run("source", "new", "watch", "--captured", "caught.har", "--ask-secret")
    assert "proved by the captured signature (1 of 1)" in done.out
    assert SECRET not in done.out


def test_where_the_sender_says_its_secret_none_is_typed(
    run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.prompt", lambda *_, default, **__: default)
    said = b"POST /hook HTTP/1.1\nHost: h\nX-Hook-Secret: %s\n\n{}" % SECRET.encode()
    signature = hmac.digest(SECRET.encode(), event(1), "sha256").hex().encode()
    signed = b"POST /hook HTTP/1.1\nHost: h\nX-Hook-Signature: %s\n\n%s" % (signature, event(1))
    for name, raw in (("1.http", said), ("2.http", signed)):
        Path(name).write_bytes(raw)
    captures = ("--captured", "1.http", "--captured", "2.http")
    done = run("source", "new", "hook", *captures, "--ask-secret")
    assert done.status == 0, done.out + done.err
    assert "mozdef-ef secret learn hook" in done.out
    assert "write two lines to config/dev.yaml: 'service: ingest' and 'sources: [hook]'" in done.out
    (rule,) = load_source(Path("config/sources/hook")).settings.handshake_rules
    assert rule.learn is not None
    assert not any(SECRET in one.read_text() for one in Path("config").rglob("*.*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give either --sample or --captured"),
        (("--sample", "secret", "--captured", "secret"), "give either --sample or --captured"),
        (("--captured", "none.har"), "none.har: there is no such file"),
        (("--captured", "secret"), "secret: neither a HAR file"),
        (("--captured", "caught.har", "--secret-file", "none"), "none: there is no such file"),
        (("--captured", "caught.har", "--host", "b.example"), "no request went to b.example"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    run: Callable[..., Done], words: tuple[str, ...], said: str
) -> None:
    har(event(1))
    done = run("source", "new", "watch", *words)
    assert done.status == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert not Path("config").exists()


def test_what_was_caught_is_tried_at_its_time(run: Callable[..., Done]) -> None:
    har(event(1), event(2))
    words = ("source", "try", "stripe", "--captured", "caught.har")
    done = run(*words, "--secret-file", "secret", "--json")
    outcomes = [one["outcome"] for one in json.loads(done.out)["requests"]]
    assert outcomes == ["schema_violation", "schema_violation"]  # and so its signature fits
    Path("secret").write_text("another")
    done = run(*words, "--secret-file", "secret")
    assert done.out.count("bad_signature") == 4
    assert "caught.har, log.entries.1" in done.out
    done = run(*words)
    assert "a signature was given, and no secret to check it with" in done.out


@pytest.mark.parametrize(("coding", "packed", "said"), [
    ("gzip", True, "no signature was given: the body alone is judged"),
    ("gzip", False, "refused 415: unsupported_media_type"),
    ("br", False, "is none that API Gateway unpacks (415)"),
])  # fmt: skip
def test_a_content_encoding_is_taken_as_the_door_takes_it(
    run: Callable[..., Done], coding: str, packed: bool, said: str
) -> None:
    body = b'{"type": "a"}'
    Path("body").write_bytes(gzip.compress(body) if packed else body)
    done = run("source", "try", "generic-hmac", "body", "--header", f"Content-Encoding: {coding}")
    assert said.removeprefix("refused 415: unsupported_media_type") in done.out
    assert ("415" in done.out) == (not packed)
    assert done.status == (not packed)


def test_a_form_that_is_signed_with_its_address(run: Callable[..., Done]) -> None:
    """As Twilio signs: its documentation, "Validating requests"."""
    url, fields = "https://h.example.com/sms", {"To": "+18005551212", "MessageSid": "SM0123"}
    text = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    signature = base64.b64encode(hmac.digest(b"12345", text.encode(), "sha1")).decode()
    Path("sms.curl").write_text(
        f"curl '{url}' -H 'X-Twilio-Signature: {signature}' -d '{urlencode(fields)}'"
    )
    Path("secret").write_text("12345")
    new = ("source", "new", "sms", "--captured", "sms.curl", "--secret-file", "secret")
    done = run(*new, "--keep-secret")
    assert done.status == 0, done.out
    assert "over '{url}{form.sorted}': proved by the captured signature (1 of 1)" in done.out
    assert run("source", "check", "sms", "--strict").status == 0


@pytest.mark.parametrize("proof", ["-H 'Authorization: Basic dXNlcjpwcml2YXRl'", "?token=private1"])
def test_tokens_of_other_places(run: Callable[..., Done], proof: str) -> None:
    query = proof if proof.startswith("?") else ""
    more = "" if query else proof
    Path("a.curl").write_text(f"curl 'https://h.example.com/{query}' {more} --json '{{\"id\":1}}'")
    done = run("source", "new", "hook", "--captured", "a.curl")
    assert done.status == 0, done.out
    folder = Path("config/sources/hook")
    files = [one for one in folder.rglob("*.*") if one.is_file()]
    assert not any("private" in one.read_text() or "dXNlcjpw" in one.read_text() for one in files)


def test_a_caught_handshake_is_answered(run: Callable[..., Done]) -> None:
    Path("a.curl").write_text(
        "curl 'https://h.example.com/in?hub.mode=subscribe&hub.challenge=abc'\n"
        "curl 'https://h.example.com/in' -H 'X-Token: t' --json '{\"id\":1}'\n"
    )
    done = run("source", "new", "hub", "--captured", "a.curl")
    assert done.status == 0, done.out
    assert "receiver: it alone can answer what was caught" in done.out
    done = run("source", "try", "hub", "--captured", "a.curl")
    assert "a handshake, answered with" in done.out


@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa-p256-sha256", "rsa-sha256"])
def test_a_public_key_proves_a_scheme(run: Callable[..., Done], algorithm: str) -> None:
    """As Discord, SendGrid and others sign: a time and the body, with a private key."""
    signs: list[bytes] = [f"{AT + number}".encode() + event(number) for number in range(2)]
    if algorithm == "ed25519":
        private: Any = ed25519.Ed25519PrivateKey.generate()
        signatures = [private.sign(one).hex() for one in signs]
    elif algorithm.startswith("ecdsa"):
        private = ec.generate_private_key(ec.SECP256R1())
        made = [private.sign(one, ec.ECDSA(hashes.SHA256())) for one in signs]
        signatures = [base64.b64encode(one).decode() for one in made]
    else:
        private = rsa.generate_private_key(65537, 2048)
        made = [private.sign(one, padding.PKCS1v15(), hashes.SHA256()) for one in signs]
        signatures = [base64.b64encode(one).decode() for one in made]
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    Path("key.pem").write_bytes(public)
    for number, signature in enumerate(signatures):
        body = event(number).decode()
        head = f"X-Signature: {signature}\nX-Signature-Timestamp: {AT + number}"
        Path(f"{number}.http").write_text(
            f"POST /in HTTP/1.1\nHost: h\nContent-Type: application/json\n{head}\n\n{body}"
        )
    captured = ("--captured", "0.http", "--captured", "1.http")
    done = run("source", "new", "keyed", *captured, "--secret-file", "key.pem")
    assert done.status == 0, done.out + done.err
    said = f"{algorithm} over '{{timestamp}}{{body}}': proved by the captured signature (2 of 2)"
    assert said in done.out
    assert run("source", "check", "keyed", "--strict").status == 0
