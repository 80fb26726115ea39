"""Reads captures of any form: HAR files, curl commands, raw HTTP; a file each, or a folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from settings.bounded import UnfitFileError, read_bounded
from toolbox.sources.captured.curl import read_curl
from toolbox.sources.captured.har import read_har
from toolbox.sources.captured.raw_http import is_request, read_raw_http
from toolbox.sources.captured.request import (
    LARGEST_BODY,
    LARGEST_CAPTURE,
    MOST_REQUESTS,
    CapturedRequest,
    CaptureError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Captures:
    """The requests to one host, and what was left out.

    Parameters
    ----------
    requests : tuple[CapturedRequest, ...]
        In the order of the files.
    notes : tuple[str, ...]
        What was left out, and why.
    """

    requests: tuple[CapturedRequest, ...]
    notes: tuple[str, ...]


def read_captures(paths: Sequence[Path], host: str = "") -> Captures:
    """Read the requests to one host.

    Parameters
    ----------
    paths : Sequence[Path]
        Files, or folders whose files are taken.
    host : str
        The one that counts; empty takes that with most bodies.

    Raises
    ------
    CaptureError
        When a file is none of these, or there is no request, or two hosts have equally many.
    """
    found: list[CapturedRequest] = []
    for path in _files(paths):
        found += _read(path)
        if len(found) > MOST_REQUESTS:
            raise CaptureError(f"{path}: with it there are more than {MOST_REQUESTS} requests")
    if not found:
        raise CaptureError(f"{', '.join(map(str, paths))}: no request in it")
    return _of_host(found, host)


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if one.is_file())
            files += [one for one in inside if not one.name.startswith(".")]
        else:
            files.append(path)
    return files


def _read(path: Path) -> list[CapturedRequest]:
    try:
        content = read_bounded(path, LARGEST_CAPTURE)
    except UnfitFileError as error:
        found = f", not {error.found}" if error.found else ""
        raise CaptureError(f"{path}: {error}{found}") from None
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] == b"{":
        return read_har(start, str(path))
    if is_request(start):
        return [read_raw_http(start, str(path))]
    if start.removeprefix(b"$ ").startswith(b"curl") or start[:1] == b"#":
        return read_curl(start, path)
    raise CaptureError(
        f"{path}: neither a HAR file (JSON), nor a curl command, nor raw HTTP ('POST /path HTTP/1.1"
        "' and headers)"
    )


def _of_host(found: Sequence[CapturedRequest], host: str) -> Captures:
    bodies = Counter(one.host for one in found if one.body)
    hosts = dict.fromkeys(one.host for one in found)
    if host and host not in hosts:
        raise CaptureError(f"no request went to {host}; there are {', '.join(hosts)}")
    if not host:
        ranked = bodies.most_common(2)
        if not ranked:
            raise CaptureError(
                f"{found[0].where}: no request has a body (of {len(found)}); have the capture made "
                "with bodies ('HAR with content')"
            )
        if len(ranked) > 1 and ranked[0][1] == ranked[1][1]:
            raise CaptureError(
                f"requests went to {', '.join(hosts)}; choose the receiver's with --host"
            )
        host = ranked[0][0]
    taken = [one for one in found if one.host == host]
    notes = []
    if others := [one for one in hosts if one != host]:
        count = len(found) - len(taken)
        shown = ", ".join(one or "no host" for one in others[:5]) + (", …" if others[5:] else "")
        notes.append(f"{count} requests to {shown} are left out; --host chooses another")
    for one in taken:
        if len(one.body) > LARGEST_BODY:
            raise CaptureError(
                f"{one.where}: a body of {len(one.body):,} bytes; 10 MB are the most"
            )
        if one.rebuilt:
            notes.append(f"{one.where}: {one.rebuilt}: a signature may not fit it")
    return Captures(tuple(taken), tuple(notes))
