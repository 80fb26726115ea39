"""Keeps the requests that are listened to: a file each, as raw HTTP, for its owner alone."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolbox.sources.captured.bodies import body_settings, document_of
from toolbox.sources.captured.from_headers import from_headers
from toolbox.sources.captured.listening import ListenError, UnfitRequestError, WireAnswer
from toolbox.sources.captured.proposal import name_of
from toolbox.sources.captured.raw_http import REQUEST_LINE, read_raw_http
from toolbox.sources.captured.request import MOST_REQUESTS, CapturedRequest, CaptureError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from toolbox.sources.captured.answering import Answering

#: Of all captures of a folder, in bytes.
MOST_BYTES = 100_000_000
_FILE = re.compile(r"(\d{3})\.http")


@dataclass(frozen=True)
class KeptRequest:
    """A request that was kept.

    Parameters
    ----------
    kind : str
        The event's type, as far as it shows.
    status : int
        What was answered.
    said : str
        What else is said of it; empty for an event.
    """

    file: Path
    request: CapturedRequest
    kind: str
    status: int
    said: str


class CaptureFolder:
    """A folder of captures, which takes as many as `source new --captured` reads.

    Raises
    ------
    ListenError
        When it cannot be written, or is full.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            # What is in it can hold secrets: git leaves it alone, whichever repository it is in.
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
            files = [one for one in folder.iterdir() if not one.name.startswith(".")]
            self._bytes = sum(one.stat().st_size for one in files)
        except OSError as error:
            raise ListenError(f"{folder}: cannot be written: {error.strerror}") from None
        numbers = [int(found[1]) for one in files if (found := _FILE.fullmatch(one.name))]
        self._next = max(numbers, default=0) + 1
        self._left = min(count, MOST_REQUESTS - len(files), 999 - max(numbers, default=0))
        if self.is_full:
            raise ListenError(
                f"{folder}: is full with {len(files)} captures; choose another with --directory"
            )

    @property
    def is_full(self) -> bool:
        """Whether it takes no more."""
        return self._left <= 0 or self._bytes >= MOST_BYTES

    def next_file(self) -> Path:
        """Return where the next one goes."""
        return self.folder / f"{self._next:03}.http"

    def keep(self, raw: bytes) -> Path:
        """Write a request.

        Raises
        ------
        UnfitRequestError
            When there is no room for it.
        """
        if self.is_full or self._bytes + len(raw) > MOST_BYTES:
            raise UnfitRequestError(503, f"{self.folder} is full")
        file = self.next_file()
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to:
                to.write(raw)
        except OSError as error:
            raise UnfitRequestError(503, f"{file}: cannot be written: {error.strerror}") from None
        self._next += 1
        self._left -= 1
        self._bytes += len(raw)
        return file


class Keeper:
    """Keeps each request to a source's address, and answers it.

    Parameters
    ----------
    told : Callable[[KeptRequest], None]
        Is told of each that was kept.
    """

    def __init__(
        self, folder: CaptureFolder, answering: Answering, told: Callable[[KeptRequest], None]
    ) -> None:
        self._folder = folder
        self._answering = answering
        self._told = told
        self._path = re.compile(rf"/{answering.name}(?:[/?]\S*)?")

    def __call__(self, raw: bytes) -> WireAnswer:
        """Keep a request.

        Raises
        ------
        UnfitRequestError
            When it is for another address, cannot be read again, or there is no room for it.
        """
        line = REQUEST_LINE.match(raw.lstrip())
        target = line[2].decode("latin-1") if line else ""
        if not self._path.fullmatch(target):
            raise UnfitRequestError(404, f"{target[:60] or 'a request'} is not the address")
        file = self._folder.next_file()
        try:
            request = read_raw_http(raw.lstrip(), str(file))
            document = _document(request)
        except CaptureError as error:
            raise UnfitRequestError(400, str(error)) from None
        self._folder.keep(raw.lstrip())
        answer, said = self._answering.answer(request, document)
        told = answer.response()
        kind = name_of(request, document, from_headers([(request, document)], []))
        self._told(KeptRequest(file, request, kind, answer.status, said))
        body = b"" if request.method == "HEAD" else str(told["body"]).encode()
        return WireAnswer(answer.status, body, told["headers"])


def _document(request: CapturedRequest) -> Any:
    """Return what is in a body; None where that cannot be told yet."""
    if not request.body:
        return None
    try:
        return document_of(request, body_settings(request))
    except CaptureError:
        return None
