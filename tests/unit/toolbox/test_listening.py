"""What a sender sends is kept byte for byte and answered, and nobody can make it more than that."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import stat
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from settings.source.loader import available_sources, load_source
from toolbox.sources.captured import keeping, listening
from toolbox.sources.captured.answering import Answering
from toolbox.sources.captured.keeping import CaptureFolder, Keeper, KeptRequest
from toolbox.sources.captured.listening import (
    ListenError,
    RequestServer,
    UnfitRequestError,
    WireAnswer,
)
from toolbox.sources.captured.raw_http import read_raw_http
from toolbox.sources.captured.reading import read_captures
from toolbox.sources.captured.request import CapturedRequest
from toolbox.sources.samples import load_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HANG = 60
EVENT = b"POST /watch?a=b HTTP/1.1\r\nhost: h.example\r\nX-B: 2\r\nx-a:  1 \r\nX-B: 3\r\n"


class Line:
    """A server, and what it was told."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.refused: list[str] = []

    def say(self, *pieces: bytes) -> bytes:
        """Send pieces one by one, and return all that comes back until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), HANG) as peer:
            for piece in pieces:
                peer.sendall(piece)
            return b"".join(iter(lambda: peer.recv(65_536), b""))


@contextmanager
def server(handle: Callable[[bytes], WireAnswer], *, seconds: float = HANG) -> Iterator[Line]:
    loop, line = asyncio.new_event_loop(), Line(0)
    made = RequestServer(handle, line.refused.append, seconds=seconds)
    listener = loop.run_until_complete(made.start("127.0.0.1", 0))
    line.port = listener.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield line
    finally:
        asyncio.run_coroutine_threadsafe(made.finish(), loop).result(HANG)
        loop.call_soon_threadsafe(listener.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(HANG)
        loop.close()


@pytest.fixture
def seen() -> list[KeptRequest]:
    return []


@pytest.fixture
def keeper(tmp_path: Path, seen: list[KeptRequest]) -> Keeper:
    folder = CaptureFolder(tmp_path / "caught", 5)
    return Keeper(folder, Answering("watch", None, (), tmp_path), seen.append)


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 9\r\n\r\n\x00\xff\r\n\r\n\t {",
        b'Transfer-Encoding: chunked\r\n\r\n4;x=y\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n',
        b"Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_request_is_kept_as_it_was_sent(
    keeper: Keeper, seen: list[KeptRequest], body: bytes
) -> None:
    raw = EVENT + body
    with server(keeper) as line:
        halves = [raw[number : number + 1] for number in range(len(raw))]
        answer = line.say(*halves)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    (kept,) = seen
    assert kept.file.read_bytes() == raw
    assert stat.S_IMODE(kept.file.stat().st_mode) == 0o600
    (read,) = read_captures([kept.file], "h.example").requests if b"{" in body else (kept.request,)
    assert [name for name, _ in read.headers][:4] == ["host", "X-B", "x-a", "X-B"]
    assert read.query == "a=b"


def test_what_a_client_sends_after_a_go_ahead_is_read(
    keeper: Keeper, seen: list[KeptRequest]
) -> None:
    """As curl does with a body of more than a megabyte: RFC 9110, 10.1.1."""
    head = EVENT + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    with server(keeper) as line, socket.create_connection(("127.0.0.1", line.port), HANG) as peer:
        peer.sendall(head)
        assert peer.recv(100).startswith(b"HTTP/1.1 100 ")
        peer.sendall(b"{}")
        assert b"HTTP/1.1 200" in peer.recv(1_000)
    assert seen[0].file.read_bytes() == head + b"{}"


def test_what_a_library_sends_is_what_is_read_again(
    keeper: Keeper, seen: list[KeptRequest]
) -> None:
    with server(keeper) as line:
        client = http.client.HTTPConnection("127.0.0.1", line.port, timeout=HANG)
        headers = {"X-Event": "made", "Content-Type": "application/json"}
        client.request("POST", "/watch/in", b'{"id":"\xc3\xa9"}', headers)
        answer = client.getresponse()
        assert (answer.status, json.loads(answer.read())["status"]) == (200, "accepted")
    (read,) = read_captures([seen[0].file]).requests
    assert read.body == b'{"id":"\xc3\xa9"}'
    assert read.address == f"https://127.0.0.1:{line.port}/watch/in"
    assert (seen[0].kind, seen[0].said) == ("made", "")


@pytest.mark.parametrize(
    ("raw", "status", "said"),
    [
        (b"GET /robots.txt HTTP/1.1\r\nHost: h\r\n\r\n", 404, "/robots.txt is not the address"),
        (b"POST /watcher HTTP/1.1\r\nHost: h\r\n\r\n", 404, "/watcher is not the address"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, "* is not the address"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400, "not HTTP/1.1"),
        (b"POST /watch HTTP/1.1\r\nHost: h\r\nA: " + b"x" * 30_000, 431, "not HTTP/1.1"),
        (EVENT + b"Content-Length: 1x\r\n\r\n", 400, "not HTTP/1.1"),
        (EVENT + b"Content-Length: 9\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "not HTTP/1.1"),
        (EVENT + b"A:\r\n" * 200 + b"\r\n", 400, "204 headers; 200 are the most"),
        (EVENT + b"Content-Length: 21\r\n\r\n" + b"x" * 21, 413, "a body of more than 20 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_turned_away_and_not_kept(
    monkeypatch: pytest.MonkeyPatch, keeper: Keeper, seen: list[KeptRequest],
    raw: bytes, status: int, said: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(listening, "LARGEST_BODY", 20)
    with server(keeper) as line:
        assert line.say(raw).startswith(f"HTTP/1.1 {status} ".encode())
        (refused,) = line.refused
    assert said in refused
    assert not seen


def test_a_slow_or_broken_client_ends(keeper: Keeper, seen: list[KeptRequest]) -> None:
    with server(keeper, seconds=0.02) as line:
        assert line.say(b"POST /watch HTTP/1.1\r\n") == b""
        assert line.refused == ["a request that took more than 0.02 seconds"]
    assert not seen


def test_no_more_connections_are_open_than_fit_into_memory(
    monkeypatch: pytest.MonkeyPatch, keeper: Keeper
) -> None:
    monkeypatch.setattr(listening, "_MOST_CONNECTIONS", 1)
    with server(keeper) as line, socket.create_connection(("127.0.0.1", line.port), HANG) as one:
        one.sendall(EVENT + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        assert one.recv(100)  # it is served by now
        assert line.say(EVENT + b"\r\n").startswith(b"HTTP/1.1 503 ")
        assert line.refused == ["more than 1 connections at once (503)"]


def test_a_folder_takes_so_many_and_so_much(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = CaptureFolder(tmp_path / "caught", 2)
    assert folder.keep(b"a").name == "001.http"
    assert folder.keep(b"b").name == "002.http"
    assert folder.is_full
    with pytest.raises(UnfitRequestError, match="is full"):
        folder.keep(b"c")
    again = CaptureFolder(tmp_path / "caught", 200)
    assert again.keep(b"d").name == "003.http"
    monkeypatch.setattr(keeping, "MOST_BYTES", 4)
    with pytest.raises(UnfitRequestError, match="is full"):
        again.keep(b"ee")
    monkeypatch.setattr(keeping, "MOST_REQUESTS", 3)
    with pytest.raises(ListenError, match="is full with 3 captures; choose another with"):
        CaptureFolder(tmp_path / "caught", 200)
    (tmp_path / "file").touch()
    with pytest.raises(ListenError, match="file: cannot be written"):
        CaptureFolder(tmp_path / "file", 1)


def test_git_leaves_captures_alone(tmp_path: Path) -> None:
    CaptureFolder(tmp_path / "caught", 2)
    assert (tmp_path / "caught" / ".gitignore").read_text() == "*\n"


def test_a_port_that_another_has_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        made = RequestServer(lambda _: WireAnswer(200), print)
        with pytest.raises(ListenError, match=rf"127.0.0.1:{port}: .*in use.*; choose another"):
            asyncio.run(made.start("127.0.0.1", port))


def asked(name: str, text: bytes, *, secrets: tuple[str, ...] = (), known: bool = True) -> str:
    source = load_source(available_sources()[name]) if known else None
    request = read_raw_http(text.replace(b"\n", b"\r\n"), "001.http")
    document = json.loads(request.body) if request.body else None
    answer, said = Answering(name, source, secrets, Path(name)).answer(request, document)
    return f"{answer.status} {answer.body}; {said}"


SLACK = b'POST /slack HTTP/1.1\nHost: h\n\n{"type":"url_verification","challenge":"3eZb"}'
ZOOM = (
    b'POST /z HTTP/1.1\nHost: h\n\n{"event":"endpoint.url_validation","payload":{"plainToken":"q"}}'
)
META = b"GET /meta?hub.mode=subscribe&hub.challenge=15&hub.verify_token=t HTTP/1.1\nHost: h\n\n"
GRAPH = b"POST /g?validationToken=a%20b HTTP/1.1\nHost: h\n\n"


@pytest.mark.parametrize("known", [True, False])
def test_a_question_is_answered_also_of_a_sender_that_nobody_knows_yet(*, known: bool) -> None:
    def said(what: str) -> str:
        return "a handshake, answered" if known else f"answered: {what}"

    assert asked("slack", SLACK, known=known) == (
        "200 {'challenge': '3eZb'}; " + said("challenge of its body")
    )
    assert asked("meta", META, known=known) == "200 15; " + said("hub.challenge of its query")
    assert asked("microsoft-graph", GRAPH, known=known) == (
        "200 a b; " + said("validationToken of its query")
    )
    assert "asks for a value made with its secret: give --secret-file" in asked(
        "zoom", ZOOM, known=known
    )


#: Requests as the senders' documentation has them, and the answers that it asks for.
DOCUMENTED = [
    # Okta, event hooks, one-time verification request
    (
        b"GET /o HTTP/1.1\nHost: h\nX-Okta-Verification-Challenge: my_verification_challenge\n\n",
        {"verification": "my_verification_challenge"},
        "X-Okta-Verification-Challenge of its headers",
    ),
    # RingCentral, creating webhooks
    (
        b"POST /r HTTP/1.1\nHost: h\nValidation-Token: 3d2b8ea9\n\n",
        {"Validation-Token": "3d2b8ea9"},
        "Validation-Token of its headers",
    ),
    # Asana, the webhook handshake
    (
        b"POST /a HTTP/1.1\nHost: h\nX-Hook-Secret: b537207f20cbfa02357cf448134da559\n\n{}",
        {"X-Hook-Secret": "b537207f20cbfa02357cf448134da559"},
        "X-Hook-Secret of its headers",
    ),
    # Smartsheet, webhook verification: a header, and the same in a body
    (
        (
            b"POST /s HTTP/1.1\nHost: h\nSmartsheet-Hook-Challenge: d78dd1d3\n\n"
            b'{"challenge":"d78dd1d3","webhookId":4503599627370496}'
        ),
        {"Smartsheet-Hook-Response": "d78dd1d3"},
        "Smartsheet-Hook-Challenge of its headers",
    ),
    # Adobe Acrobat Sign, verification of intent
    (
        b"GET /e HTTP/1.1\nHost: h\nX-AdobeSign-ClientId: UB7E5BXCXY\n\n",
        {"X-AdobeSign-ClientId": "UB7E5BXCXY"},
        "X-AdobeSign-ClientId of its headers",
    ),
    # CloudEvents, HTTP 1.1 web hooks for event delivery, 4.1 and 4.2
    (
        (
            b"OPTIONS /c HTTP/1.1\nHost: h\nWebHook-Request-Origin: eventemitter.example.com\n"
            b"WebHook-Request-Rate: 120\n\n"
        ),
        {"WebHook-Allowed-Origin": "eventemitter.example.com", "WebHook-Allowed-Rate": "*"},
        "WebHook-Request-Origin of its headers",
    ),
    # Twitch, EventSub, responding to a challenge request
    (
        (
            b"POST /t HTTP/1.1\nHost: h\n"
            b"Twitch-Eventsub-Message-Type: webhook_callback_verification\n\n"
            b'{"challenge":"pogchamp-kappa-360noscope-vohiyo","subscription":{"id":"f1c2a387",'
            b'"status":"webhook_callback_verification_pending","type":"channel.follow","version":"1",'
            b'"cost":1,"condition":{"broadcaster_user_id":"12826"},"transport":{"method":"webhook",'
            b'"callback":"https://example.com/webhooks/callback"},"created_at":"2019-11-16T10:11:12Z"}}'
        ),
        {"text": "pogchamp-kappa-360noscope-vohiyo"},
        "challenge of its body",
    ),
    # Azure Event Grid, webhook event delivery, validation details
    (
        (
            b"POST /g HTTP/1.1\nHost: h\naeg-event-type: SubscriptionValidation\n\n"
            b'[{"id":"2d1781af","topic":"/subscriptions/x","subject":"","data":{"validationCode":'
            b'"512d38b6"},"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent"}]'
        ),
        {"validationResponse": "512d38b6"},
        "0.data.validationCode of its body",
    ),
    # monday.com, webhooks, URL verification
    (
        b'POST /m HTTP/1.1\nHost: h\n\n{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmd"}',
        {"challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmd"},
        "challenge of its body",
    ),
]


@pytest.mark.parametrize(("text", "wanted", "what"), DOCUMENTED)
def test_a_challenge_in_a_header_or_a_body_is_given_back_as_its_sender_documents(
    text: bytes, wanted: dict[str, str], what: str
) -> None:
    request = read_raw_http(text.replace(b"\n", b"\r\n"), "001.http")
    document = json.loads(request.body) if request.body else None
    answer, said = Answering("new", None, (), Path("new")).answer(request, document)
    assert answer.status == 200
    assert wanted.items() <= answer.told.items()
    assert said == f"answered: {what}"


def test_an_event_with_such_a_header_is_an_event() -> None:
    text = (
        b"POST /e HTTP/1.1\nHost: h\nX-AdobeSign-ClientId: UB7E5BXCXY\n\n"
        b'{"event":"AGREEMENT_CREATED","webhookId":"f1","agreement":{"id":"CBJ","name":"a"}}'
    )
    assert asked("new", text, known=False) == "200 {'status': 'accepted', 'id': 'captured'}; "


def test_an_answer_that_takes_the_secret_is_made_with_it() -> None:
    """The pair is one of Zoom's own documentation of CRC: the HMAC is Python's, over the token."""
    import hmac

    expected = hmac.digest(b"s", b"q", "sha256").hex()
    assert expected in asked("zoom", ZOOM, known=False, secrets=("s",))


def test_with_its_secret_a_known_source_answers_as_it_will() -> None:
    assert asked("slack", SLACK, secrets=("s",)).startswith("401 ")
    assert asked("microsoft-teams", b"POST /t HTTP/1.1\nHost: h\n\n{}").startswith(
        "200 {'text': 'Noted.', 'type': 'message'}"
    )


@pytest.mark.parametrize(
    "text",
    [
        b"GET /w?challenge=%3Cscript%3E HTTP/1.1\nHost: h\n\n",
        'POST /w HTTP/1.1\nHost: h\n\n{"type":"ü","challenge":"a"}'.encode(),
        b'POST /w HTTP/1.1\nHost: h\n\n{"type":"a","challenge":"<b>"}',
    ],
)
def test_nothing_is_echoed_that_a_browser_would_run_or_the_settings_cannot_say(text: bytes) -> None:
    told = asked("watch", text, known=False)
    assert "script" not in told
    assert "<b>" not in told
    assert re.match("(400 .*bad_challenge|200 .*no words for)", told)


@pytest.mark.parametrize("name", ["azure-event-grid", "dropbox", "meta", "okta", "slack"])
def test_what_a_built_in_source_answers_is_answered_without_its_secret(name: str) -> None:
    """The other side are the answers that the samples of the catalogue ask for."""
    source = load_source(available_sources()[name])
    (sample,) = [one for one in load_samples(source) if one.settings.expect.outcome == "answered"]
    query, headers = sample.settings.query, tuple(sample.headers.items())
    request = CapturedRequest(sample.settings.method, "/x", query, headers, sample.body, None, "x")
    answer, said = Answering(name, source, (), Path(name)).answer(request, None)
    assert sample.settings.expect.answer.items() <= answer.told.items()
    assert said == "a handshake, answered"
