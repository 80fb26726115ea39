"""Captures are read as what wrote them means them, and hostile ones end in one line."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from toolbox.sources.captured.reading import read_captures
from toolbox.sources.captured.request import LARGEST_CAPTURE, CaptureError
from toolbox.sources.captured.shell_words import bytes_of, commands_of

if TYPE_CHECKING:
    from pathlib import Path

    from toolbox.sources.captured.reading import Captures

HOST = "https://hooks.example.com/in"
BODY = '{"id": 1, "text": "Größe \U0001f511\'s"}'


def entry(url: str = HOST, text: Any = BODY, **more: Any) -> dict[str, Any]:
    data = {"mimeType": "application/json", "text": text, **more}
    headers = [{"name": ":authority", "value": "x"}, {"name": "X-A", "value": "1"}]
    request = {"method": "POST", "url": url, "postData": data, "headers": headers}
    return {"startedDateTime": "2026-11-24T19:28:20.500Z", "request": request}


def har(*entries: Any) -> str:
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}})


def read(tmp_path: Path, text: str | bytes, host: str = "", name: str = "c.txt") -> Captures:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_captures([path], host)


def fault(tmp_path: Path, text: str | bytes, host: str = "") -> str:
    with pytest.raises(CaptureError) as raised:
        read(tmp_path, text, host)
    message = str(raised.value)
    assert "\n" not in message
    return message.replace(f"{tmp_path}/", "")


def test_a_har_file(tmp_path: Path) -> None:
    packed = base64.b64encode(b"\x1f\x8b\x00").decode()
    captures = read(tmp_path, har(entry(), entry(f"{HOST}?a=%20b", packed, encoding="base64")))
    one, two = captures.requests
    assert (one.method, one.address, one.query, one.at) == ("POST", HOST, "", 1_795_548_500.5)
    assert (one.headers, one.body) == ((("X-A", "1"),), BODY.encode())
    assert (two.query, two.body) == ("a=%20b", b"\x1f\x8b\x00")


def test_other_hosts_are_left_out_and_named(tmp_path: Path) -> None:
    other = entry("https://tracker.example.net/t", "{}")
    text = har(entry(), entry(), other, entry("https://third.example.net/"))
    captures = read(tmp_path, text)
    assert {one.host for one in captures.requests} == {"hooks.example.com"}
    assert captures.notes == (
        "2 requests to tracker.example.net, third.example.net are left out; --host chooses another",
    )
    assert read(tmp_path, text, "tracker.example.net").requests[0].body == b"{}"
    assert "no request went to a.b; there are hooks.example.com" in fault(tmp_path, text, "a.b")
    assert "choose the receiver's with --host" in fault(tmp_path, har(entry(), other))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "c.txt: neither a HAR file"),
        ("hello", "c.txt: neither a HAR file"),
        (b"\x00\xff\xfe" * 1000, "c.txt: neither a HAR file"),
        (b"PK\x03\x04" + bytes(100), "c.txt: neither a HAR file"),
        ("{", "c.txt: not JSON, as a HAR file is"),
        ('{"log": {"entries": 7}}', "JSON, and no HAR file"),
        ('{"a":' * 100_000, "c.txt: not JSON, as a HAR file is"),
        (har(), "no request in it"),
        (har(*[entry()] * 201), "c.txt: 201 entries; leave in what the sender sent, 200 at most"),
        (har({}), "c.txt, log.entries.0: no request with a method and a url"),
        (har(entry(), {"request": []}), "c.txt, log.entries.1: no request with a method"),
        (har(entry("http://[::1")), "c.txt, log.entries.0: 'http://[::1' is no URL"),
        (har(entry("http://a:99999999/")), "is no URL"),
        (har(entry(text="")), "no request has a body (of 1); have the capture made with bodies"),
        (har(entry(text="!!", encoding="base64")), "its base64 is broken"),
        (har(entry()).replace("Gr", "\\ud800"), "c.txt: not JSON"),
        ("curl", "c.txt: no address"),
        ("curl 'http://a", "c.txt: a ' is not closed"),
        ('curl "http://a', 'c.txt: a " is not closed'),
        ("curl $'http://a", "c.txt: a $' is not closed"),
        ("curl http://a -d \"$(cat /etc/passwd)\"", "'$' outside of quotes or before a name"),
        ("curl http://a -d `id`", "'`' outside of quotes or before a name"),
        ("curl http://a -d $HOME", "'$' outside of quotes or before a name"),
        ("curl http://a > /tmp/x", "'>' outside of quotes or before a name"),
        ("curl http://a -d @/etc/passwd", "only a file beside the capture is read"),
        ("curl http://a -d @../../etc/passwd", "only a file beside the capture is read"),
        ("curl http://a -d @none.json", "there is no such file"),
        ("curl http://a http://b", "two addresses"),
        ("curl http://a -F a=b", "-F is not read; give the request as raw HTTP"),
        ("curl http://a --frobnicate", "'--frobnicate' is no option of curl that is read"),
        ("curl http://a -X", "-X has no value"),
        ("curl http://a; rm -rf /", "command 2: 'rm' is not curl"),
        ('curl "http://a" ^\r\n  -H ^"A: b^"', "written for cmd; choose 'Copy as cURL (bash)'"),
        ("curl " + "a " * 3000, "more than 2,000 words"),
        (b"curl http://a -d '\xff'", "no UTF-8"),
        ("POST /a HTTP/1.1\r\nno header\r\n\r\n{}", "header 1 is no 'Name: value'"),
        ("POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}", "cut off: 2 of 9 bytes of the body"),
        ("POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}{}", "2 bytes after the body"),
        ("POST /a HTTP/1.1\r\nContent-Length: 2e9\r\n\r\n{}", "Content-Length is no number"),
        ("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", "chunks are broken"),
        ("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n{}", "are broken"),
        ("POST /a HTTP/1.1\n" + "A: b\n" * 300 + "\n{}", "300 headers; 200 are the most"),
    ],
)  # fmt: skip
def test_what_is_no_capture_ends_in_one_line(tmp_path: Path, text: Any, said: str) -> None:
    assert said in fault(tmp_path, text)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "c.har"
    with path.open("wb") as file:
        file.truncate(LARGEST_CAPTURE + 1)
    with pytest.raises(CaptureError, match="expected 20,000,000 bytes or less"):
        read_captures([path])


@pytest.mark.parametrize("unit", ["\n", '""', "\\a", "$'\\x41'", "a ", "\\\n"])
def test_a_large_command_ends_soon(tmp_path: Path, unit: str) -> None:
    body = unit * 310_000
    started = time.process_time()
    with pytest.raises(CaptureError):
        read(tmp_path, f"curl http://a {body} http://b")
    assert time.process_time() - started < 20


def test_a_large_body_is_read(tmp_path: Path) -> None:
    body = '{"a": "' + 5_000_000 * "x" + '"}'
    assert len(read(tmp_path, f"curl http://a -d '{body}'").requests[0].body) == len(body)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    body = base64.b64encode(gzip.compress(bytes(30_000_000), 9)).decode()
    one = entry(text=body, encoding="base64")
    one["request"]["headers"].append({"name": "Content-Encoding", "value": "gzip"})
    (request,) = read(tmp_path, har(one)).requests
    with pytest.raises(CaptureError, match="more than 10,485,760 bytes unpacked"):
        _ = request.content


COMMANDS = {
    "one line": "curl -X POST http://a/b?c=d -H 'A: b' -d '{\"x\": 1}'",
    "as Chrome": "curl 'http://a/b' \\\n  -H 'accept: */*' \\\n  -H 'X-Sig: t=1,v1=ab' \\\n  "
    '--data-raw $\'{"a":"it\\\'s \\u00fc \\ud83d\\udd11\\\\n"}\' \\\n  --compressed --insecure',
    "as Firefox": "curl 'http://a/b' --compressed -X POST -H 'A: b' --data-raw '{\"a\":1}'",
    "double quotes": 'curl "http://a/b" -H "A: \\"b\\" \\$c" -d "{\\"a\\": \\"x\\\\ny\\"}"',
    "bytes": "curl http://a/b --data-binary $'\\x1f\\x8b\\377\\0011' -H 'A;'",
    "several -d": "curl http://a/b -d a=1 --data b=2 --data-raw @c",
    "json": "curl --json '{\"a\":1}' http://a/b -H 'Accept: text/plain'",
    "get": "curl -G http://a/b?x=1 -d a=1 -d b=2",
    "attached": "curl -sSXPUT -HA:b -da=1 http://a/b",
    "concatenated": "curl 'http://a/'\"b\"\\?c -H A\\:\\ b -d 'a'\\''b'",
    "comment": "# from the log\ncurl http://a/b -d x # said\n",
}


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash to compare with")
def test_words_are_those_of_bash() -> None:
    for text in COMMANDS.values():
        # Of two halves bash makes no character; a browser wrote them for one.
        command = text.replace("\\ud83d\\udd11", "")
        script = f"curl() {{ printf '%s\\0' curl \"$@\"; }}\n{command}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, check=True,
                              env={"LC_ALL": "C.UTF-8"})  # fmt: skip
        theirs = done.stdout.split(b"\0")[:-1]
        (ours,) = commands_of(command, "c")
        assert [bytes_of(word) for word in ours] == theirs


def test_a_curl_command_is_the_request_that_curl_sends(tmp_path: Path) -> None:
    requests = {
        name: read(tmp_path, command, "" if name != "get" else "a").requests[0]
        for name, command in COMMANDS.items()
    }
    assert (requests["get"].method, requests["get"].query) == ("GET", "x=1&a=1&b=2")
    chrome = requests["as Chrome"]
    assert chrome.body == '{"a":"it\'s ü \U0001f511\\n"}'.encode()
    assert chrome.header("x-sig") == "t=1,v1=ab"
    assert chrome.media_type == "application/x-www-form-urlencoded"
    assert requests["one line"].query == "c=d"
    assert requests["bytes"].body == b"\x1f\x8b\xff\x011"
    assert requests["bytes"].headers[0] == ("A", "")
    assert requests["several -d"].body == b"a=1&b=2&@c"
    assert requests["json"].media_type == "application/json"
    assert requests["attached"].method == "PUT"
    assert requests["concatenated"].body == b"a'b"
    assert requests["comment"].method == "POST"


def test_a_body_beside_the_command_is_read(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(b'{"a":\r\n1}\n')
    assert read(tmp_path, "curl http://a -d @b.json").requests[0].body == b'{"a":1}'
    kept = read(tmp_path, "curl http://a --data-binary @b.json").requests[0].body
    assert kept == b'{"a":\r\n1}\n'


def test_raw_http(tmp_path: Path) -> None:
    text = (
        b"POST /in?a=b HTTP/1.1\r\nHost: h.example.com\r\nX-A:  b \r\nContent-Length: 2\r\n\r\n{}\n"
    )
    (one,) = read(tmp_path, text).requests
    assert (one.address, one.query) == ("https://h.example.com/in", "a=b")
    assert (one.header("x-a"), one.body) == ("b", b"{}")
    plain = b"POST /in HTTP/2\nhost: h\n\n\n\x00\xff"
    assert read(tmp_path, plain).requests[0].body == b"\n\x00\xff"
    chunked = (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    assert read(tmp_path, chunked).requests[0].body == b"abcde"


def test_a_folder_is_its_files(tmp_path: Path) -> None:
    for name in ("b.http", "a.http", ".hidden"):
        (tmp_path / name).write_text(f"POST /{name} HTTP/1.1\nHost: h\n\n{{}}")
    assert [one.address for one in read_captures([tmp_path]).requests] == [
        "https://h/a.http", "https://h/b.http",
    ]  # fmt: skip
