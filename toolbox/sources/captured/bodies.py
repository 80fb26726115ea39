"""What a caught body is, and the JSON in it, as the pipeline would make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from pipeline.event.json_text import BodyError
from settings.source.compiler import json_of
from settings.source.model import Source
from toolbox.sources.captured.request import CaptureError
from toolbox.sources.inference import InferenceError, parse_sample

if TYPE_CHECKING:
    from toolbox.sources.captured.request import CapturedRequest

FORM = "application/x-www-form-urlencoded"
_FORMATS = {FORM: "form", "multipart/form-data": "multipart", "application/xml": "xml",
            "text/xml": "xml", "application/x-ndjson": "ndjson",
            "application/jsonl": "ndjson"}  # fmt: skip


def body_settings(request: CapturedRequest) -> dict[str, Any]:
    """Return what of `source.yaml` says what the body is; nothing for a JSON text."""
    content = request.content
    media = request.media_type
    if _is_json(content):
        return {}
    if media == FORM:
        fields = parse_qsl(content.decode("ascii", "replace"), max_num_fields=500)
        if len(fields) == 1 and _is_json(fields[0][1].encode()):
            return {"form_field": fields[0][0]}
    kind = _FORMATS.get(media) or ("xml" if media.endswith("+xml") else None)
    if kind is None and _are_lines(content):
        kind = "ndjson"
    if kind is None:
        return {}
    made: dict[str, Any] = {"body": {"format": kind}}
    return made | ({"split": {"path": "."}} if kind == "ndjson" else {})


def document_of(request: CapturedRequest, how: dict[str, Any]) -> Any:
    """Return what is in a body.

    Raises
    ------
    CaptureError
        When it is not what `how` says, or too large or deep to learn from.
    """
    known: dict[str, Any] = {key: how[key] for key in ("body", "form_field", "split") if key in how}
    if "form_field" in known:
        known["content_types"] = ["application/json", FORM]
    source = Source.model_validate(
        {"version": 1, "title": "caught", "authentication": {"type": "token"}, **known}
    )
    try:
        return parse_sample(request.where, json_of(source, request.content))
    except (BodyError, InferenceError) as error:
        text = str(error).removeprefix(f"{request.where}: ")
        raise CaptureError(f"{request.where}: {text}") from None


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(orjson.loads(content), dict | list)
    except orjson.JSONDecodeError:
        return False


def _are_lines(content: bytes) -> bool:
    lines = content.strip().splitlines()
    return 1 < len(lines) <= 100_000 and _is_json(lines[0]) and _is_json(lines[-1])
