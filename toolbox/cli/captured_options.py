"""What commands on caught requests share: secrets that are given, and evidence as comments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from toolbox.sources.captured.request import CaptureError

if TYPE_CHECKING:
    from pathlib import Path

    from toolbox.sources.captured.proposal import CapturedProposal

_LARGEST, _MOST = 100_000, 10
#: Which setting a piece of evidence is about.
_SETTINGS = {"signature": "authentication", "scheme": "authentication", "proof": "authentication",
             "token": "authentication", "event type": "event_type", "delivery id": "delivery_id",
             "handshake": "handshake", "way in": "ingest", "body": "content_types"}  # fmt: skip


def secrets_given(file: Path | None, *, ask: bool) -> list[str]:
    """Return the secrets of a file and of a prompt: never of an argument, which others can see.

    Raises
    ------
    CaptureError
        When the file cannot be read, or has no secret or too many.
    """
    from settings.bounded import UnfitFileError, read_bounded

    secrets: list[str] = []
    if file is not None:
        try:
            text = read_bounded(file, _LARGEST).decode()
        except (UnfitFileError, UnicodeDecodeError) as error:
            raise CaptureError(f"{file}: {error}") from None
        secrets = [line.strip() for line in text.splitlines() if line.strip()]
        if not 0 < len(secrets) <= _MOST:
            raise CaptureError(f"{file}: {len(secrets)} lines; one secret, and {_MOST} at most")
    if ask:
        asked = "the sender's secret (Enter where there is none)"
        typed = str(typer.prompt(asked, default="", show_default=False, hide_input=True))
        secrets.append(typed.strip())
    return [one for one in secrets if one]


def comments_of(found: CapturedProposal) -> dict[str, str]:
    """Return the evidence by the setting that it is about."""
    comments: dict[str, str] = {}
    for label, text in found.evidence:
        key = _SETTINGS.get(label)
        if key is not None:
            comments[key] = f"{comments[key]}. {text}" if key in comments else text
    return comments
