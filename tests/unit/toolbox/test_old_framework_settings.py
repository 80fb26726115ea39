"""What senders of the old framework may do, and the settings by which they may do it still."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner

from settings.deployment import StageQueue
from settings.source.loader import load_source
from settings.source.model import Source
from toolbox.cli.main import app
from toolbox.sources.checking import CheckedSample, check_sources
from toolbox.traffic.requests import make_requests

BASE: dict[str, Any] = {"version": 1, "title": "T", "authentication": {"type": "token"}}
BODY = '{"payload": {"a": 1}}'


def checked(tmp_path: Path, settings: dict[str, Any], **sample: Any) -> CheckedSample:
    folder = tmp_path / "sender"
    (folder / "samples").mkdir(parents=True)
    (folder / "source.yaml").write_text(yaml.safe_dump(BASE | settings))
    given = {"description": "d", "body": BODY} | sample
    (folder / "samples" / "s.yaml").write_text(yaml.safe_dump(given))
    (found,) = check_sources({"sender": load_source(folder)})
    return found


@pytest.mark.parametrize(
    ("settings", "sample", "ending"),
    [
        ({}, {"method": "PUT"}, "refused 403"),
        ({"methods": ["PUT"]}, {}, "refused 403"),
        ({"methods": ["POST", "PUT"]}, {"method": "PUT"}, "delivered"),
        ({"methods": ["POST", "PUT"]}, {}, "delivered"),
        ({}, {"content_type": "text/plain"}, "refused 415"),
        ({"content_types": ["text/plain"]}, {"content_type": "text/plain"}, "delivered"),
        (
            {"ingest": "receiver", "content_types": ["*/*"]},
            {"content_type": "application/x-www-form-urlencoded"},
            "delivered",
        ),
        ({"ingest": "receiver", "content_types": ["*/*"]}, {"content_type": "odd"}, "delivered"),
        (
            {"ingest": "receiver", "content_types": ["*/*"]},
            {"sign": "missing"},
            "refused 401",
        ),
    ],
)
def test_methods_and_content_types_are_settings(
    tmp_path: Path, settings: dict[str, Any], sample: dict[str, Any], ending: str
) -> None:
    outcome, _, status = ending.partition(" ")
    expect = {"outcome": outcome} | ({"status": int(status)} if status else {})
    found = checked(tmp_path, settings, expect=expect, **sample)
    assert (found.actual, found.faults) == (ending, ())


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"content_types": ["*/*"]}, "needs ingest: receiver"),
        ({"content_types": ["text/*"]}, "pattern"),
        ({"methods": []}, "at least 1"),
        ({"methods": ["POST", "POST"]}, "name each once"),
        ({"methods": ["GET"]}, "'POST' or 'PUT'"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Source.model_validate(BASE | settings)


def test_a_queue_keeps_messages_for_as_long_as_sqs_can() -> None:
    assert StageQueue(retention_days=14).retention_days == 14
    for odd in ({"retention_days": 15}, {"retention_days": 0}, {"full_name": "a b"}):
        with pytest.raises(ValidationError):
            StageQueue.model_validate(odd)


def test_a_request_is_made_by_the_sources_first_method(tmp_path: Path) -> None:
    folder = tmp_path / "putter"
    folder.mkdir()
    (folder / "source.yaml").write_text(yaml.safe_dump(BASE | {"methods": ["PUT", "POST"]}))
    (folder / "x.json").write_text(BODY)
    source = load_source(folder)
    (sent,) = make_requests(source, [str(folder / "x.json")], secret="t", count=1)
    assert sent.request.method == "PUT"
    tried = CliRunner().invoke(
        app, ["source", "try", "putter", str(folder / "x.json"), "--sources", str(tmp_path)]
    )
    assert "PUT /putter" in tried.output
    assert tried.exit_code == 0
