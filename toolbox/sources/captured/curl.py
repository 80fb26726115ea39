"""Reads curl commands, as "copy as cURL (bash)" writes them; nothing of them is run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from settings.bounded import UnfitFileError, read_own
from toolbox.sources.captured.request import (
    LARGEST_CAPTURE,
    CapturedRequest,
    CaptureError,
    address_of,
)
from toolbox.sources.captured.shell_words import bytes_of, commands_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATA = {"-d", "--data", "--data-ascii", "--data-raw", "--data-binary", "--json"}
#: Options of curl(1) that say nothing of a request, with a value …
_PASSED_OVER = {
    "-o", "--output", "-w", "--write-out", "-m", "--max-time", "--connect-timeout", "--retry",
    "-x", "--proxy", "--cacert", "--capath", "-E", "--cert", "--key", "--resolve", "-c",
    "--cookie-jar", "-D", "--dump-header", "--ciphers", "--tls-max", "--retry-delay", "-C",
}  # fmt: skip
#: … and without one.
_FLAGS = {
    "--compressed", "-k", "--insecure", "-s", "--silent", "-S", "--show-error", "-v", "--verbose",
    "-i", "--include", "-L", "--location", "-f", "--fail", "--http1.0", "--http1.1", "--http2",
    "--http2-prior-knowledge", "--http3", "-g", "--globoff", "-0", "-1", "-4", "-6", "--tlsv1.2",
    "--tlsv1.3", "--path-as-is", "-N", "--no-buffer", "-#", "--progress-bar", "--tr-encoding",
    "--raw", "-j", "-O", "-J", "--fail-with-body", "-n", "-a",
}  # fmt: skip
_HEADERS = {"-A": "User-Agent", "--user-agent": "User-Agent", "-e": "Referer",
            "--referer": "Referer", "-b": "Cookie", "--cookie": "Cookie",
            "-u": "Authorization", "--user": "Authorization",
            "--oauth2-bearer": "Authorization"}  # fmt: skip


@dataclass
class _Command:
    method: str = ""
    url: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    content_type: str = "application/x-www-form-urlencoded"
    in_query: bool = False


def read_curl(content: bytes, path: Path) -> list[CapturedRequest]:
    """Return the request of each curl command in a file.

    Parameters
    ----------
    path : Path
        Where it is: `--data @file` is read where that is a file beside it.

    Raises
    ------
    CaptureError
        When a command is none of curl, or would do something else than send a request.
    """
    file = str(path)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise CaptureError(f"{file}: no UTF-8, as the text of a command is") from None
    if "^\n" in text.replace("\r", "") or '^"' in text:
        raise CaptureError(f"{file}: written for cmd; choose 'Copy as cURL (bash)'")
    commands = [words for words in commands_of(text, file) if words != ["$"]]
    found = []
    for number, words in enumerate(commands, start=1):
        where = f"{file}, command {number}" if len(commands) > 1 else file
        words = words[1:] if words[0] == "$" else words  # noqa: PLW2901 - a prompt was copied
        if words[0] != "curl":
            raise CaptureError(
                f"{where}: {bytes_of(words[0]).decode('utf-8', 'replace')[:40]!r} is not curl"
            )
        found.append(_request(_read(words[1:], where, path), where))
    return found


def _read(words: list[str], where: str, path: Path) -> _Command:
    command = _Command()
    queue = iter(words)
    for option, value in _options(queue, where):
        if option in {"-X", "--request"}:
            command.method = value.upper()
        elif option in {"-H", "--header"}:
            _add_header(command, value)
        elif option in {"", "--url"}:
            if command.url:
                raise CaptureError(f"{where}: two addresses; write a command for each")
            command.url = value
        elif option in _DATA or option == "--data-urlencode":
            command.data.append(_data(option, value, where, path))
            if option == "--json":
                command.content_type = "application/json"
        elif option in _HEADERS:
            command.headers.append((_HEADERS[option], value))
        command.in_query |= option in {"-G", "--get"}
    return command


def _options(queue: Iterator[str], where: str) -> Iterator[tuple[str, str]]:
    """Return options with their values, and what is none with an empty name."""
    with_value = _DATA | _PASSED_OVER | _HEADERS.keys()
    with_value |= {"-X", "--request", "-H", "--header", "--url", "--data-urlencode"}
    flags = _FLAGS | {"-G", "--get"}
    for word in queue:
        if not word.startswith("-") or word == "-":
            yield "", word
            continue
        if word.startswith("--"):
            option, equals, attached = word.partition("=")
        else:
            while len(word) > 2 and word[:2] in flags:  # several letters in one word
                yield word[:2], ""
                word = f"-{word[2:]}"  # noqa: PLW2901
            option, equals, attached = word[:2], word[2:], word[2:]
        if option in flags:
            yield option, ""
        elif option in with_value:
            value = attached if equals else next(queue, None)
            if value is None:
                raise CaptureError(f"{where}: {option} has no value")
            yield option, value
        elif option in {"-F", "--form", "-T", "--upload-file", "-K", "--config"}:
            raise CaptureError(f"{where}: {option} is not read; give the request as raw HTTP")
        else:
            raise CaptureError(f"{where}: {option[:40]!r} is no option of curl that is read")


def _add_header(command: _Command, line: str) -> None:
    name, colon, value = line.partition(":")
    if colon and value.strip():
        command.headers.append((name.strip(), value.strip()))
    elif not colon and name.rstrip().endswith(";"):
        command.headers.append((name.rstrip()[:-1], ""))


def _data(option: str, value: str, where: str, path: Path) -> bytes:
    if option == "--data-urlencode":
        raise CaptureError(f"{where}: --data-urlencode is not read; write what was sent")
    if not value.startswith("@") or option == "--data-raw":
        return bytes_of(value)
    try:
        content = read_own(path.parent, path.parent / Path(value[1:]), LARGEST_CAPTURE)
    except UnfitFileError as error:
        raise CaptureError(
            f"{where}: {option} {value[:80]}: {error}; only a file beside the capture is read"
        ) from None
    if option in {"--data-binary", "--json"}:
        return content
    return content.replace(b"\r", b"").replace(b"\n", b"")


def _request(command: _Command, where: str) -> CapturedRequest:
    if not command.url:
        raise CaptureError(f"{where}: no address")
    url = command.url if "://" in command.url else f"http://{command.url}"
    address, query = address_of(url, where)
    body = (b"" if command.content_type == "application/json" else b"&").join(command.data)
    headers = [
        (name, bytes_of(value).decode("utf-8", "replace")) for name, value in command.headers
    ]
    method = command.method or ("POST" if command.data else "GET")
    if command.in_query:
        more = body.decode("utf-8", "replace")
        query, body, method = "&".join(filter(None, (query, more))), b"", command.method or "GET"
    elif command.data and "content-type" not in {name.lower() for name, _ in headers}:
        headers.append(("Content-Type", command.content_type))
    return CapturedRequest(method, address, query, tuple(headers), body, None, where)
