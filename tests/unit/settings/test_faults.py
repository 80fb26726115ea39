"""Faults of settings files are data: file, key, what is expected, what was found."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from settings.bounded import LARGEST_FILE
from settings.expectations import one_line, said
from settings.faults import Fault, WrongSettingsError
from settings.reading import read_yaml
from settings.source.loader import SourceError, load_source
from toolbox.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Callable

STAGE = "service: ingest\nsources: [github]\n"


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., tuple[Fault, ...]]:
    def faults(**settings: Any) -> tuple[Fault, ...]:
        folder = tmp_path / "sender"
        folder.mkdir()
        good = {"version": 1, "title": "A sender", "authentication": {"type": "token"}}
        (folder / "source.yaml").write_text(yaml.safe_dump(good | settings))
        with pytest.raises(SourceError) as raised:
            load_source(folder)
        return raised.value.faults

    return faults


def test_three_faults_in_one_file_are_three_faults_with_three_keys(tmp_path: Path) -> None:
    (tmp_path / "dev.yaml").write_text(STAGE)
    folder = tmp_path / "sources" / "sender"
    folder.mkdir(parents=True)
    path = folder / "source.yaml"
    path.write_text(
        "version: 1\ntitle: A sender\nauthentication: {type: token}\n"
        "mozdef: {severity: LOUD}\ndeduplication_hours: -1\nmozdf: {}\n"
    )
    words = ["config", "check", "--config", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    levels = "'DEBUG', 'INFO', 'NOTICE', 'WARNING', 'ERROR', 'CRITICAL', 'ALERT' or 'EMERGENCY'"
    assert json.loads(result.stdout)["faults"] == [
        {
            "file": str(path),
            "key": "deduplication_hours",
            "expected": "expected 0 or more",
            "found": "-1",
        },
        {
            "file": str(path),
            "key": "mozdef.severity",
            "expected": f"expected {levels}",
            "found": "'LOUD'",
        },
        {"file": str(path), "key": "mozdf", "expected": "unknown key", "found": ""},
    ]
    people = CliRunner().invoke(app, words[:-1])
    assert len([line for line in people.stderr.splitlines() if line.startswith(str(path))]) == 3


def test_what_does_not_go_together_is_told_at_once_with_its_keys(
    source: Callable[..., tuple[Fault, ...]],
) -> None:
    found = source(
        event_type={"header": "X-Type"},
        delivery_id={"header": "X-Id"},
        headers={"keep": []},
        schemas={"unknown_types": "reject"},
        form_field="payload",
    )
    assert [(fault.key, fault.expected) for fault in found] == [
        ("schemas.unknown_types", "'reject' without types rejects all"),
        ("event_type", "header X-Type must be listed in headers.keep"),
        ("delivery_id", "header X-Id must be listed in headers.keep"),
        (
            "form_field",
            "is set if and only if content_types has application/x-www-form-urlencoded",
        ),
        ("form_field", "header Content-Type must be listed in headers.keep"),
    ]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"authentication": {"type": "hmac", "header": 5, "hmac": 1}},
            [
                "authentication.header: expected text; put it in quotes, not 5",
                "authentication.hmac: unknown key",
            ],
        ),
        ({"authentication": {}}, ["authentication.type: this key is required"]),
        ({"authentication": "token"}, ["authentication: expected a mapping, not 'token'"]),
        (
            {"authentication": {"type": 7}},
            ["authentication.type: expected one of 'token', 'hmac'"],
        ),
        (
            {"mozdef": {"timestamp": 5}},
            ["mozdef.timestamp: expected text; put it in quotes or a list, not 5"],
        ),
        (
            {"mozdef": {"timestamp": ["at", 5]}},
            ["mozdef.timestamp.1: expected text; put it in quotes, not 5"],
        ),
        ({"mozdef": {"details": 5}}, ["mozdef.details: expected 'body' or a mapping, not 5"]),
        (
            {"mozdef": {"details": {"a": 5}}},
            ["mozdef.details.a: expected text; put it in quotes, not 5"],
        ),
        (
            {"queue": {"by_type": {1: "a"}}},
            ["queue.by_type.1: expected text; put it in quotes, not 1"],
        ),
        ({"type": "a", "a": 1}, ["a: unknown key", "type: unknown key"]),
        ({"type": "", "": 1}, ["'': unknown key", "type: unknown key"]),
        ({"title": None}, ["title: expected text; put it in quotes, not nothing"]),
        ({"title": dt.date(2026, 11, 23)}, ["title: expected text; put it in quotes, not 2"]),
        ({"headers": {"keep": {"a": 1}}}, ["headers.keep: expected a list, not a mapping"]),
        ({"deduplication_hours": 1.5}, ["deduplication_hours: expected a whole number, not 1.5"]),
        ({"schemas": {"formats": "perhaps"}}, ["schemas.formats: expected true or false, not"]),
    ],
)
def test_keys_are_those_of_the_file(
    source: Callable[..., tuple[Fault, ...]], settings: dict[str, Any], told: list[str]
) -> None:
    found = [str(fault).partition("source.yaml: ")[2] for fault in source(**settings)]
    assert len(found) == len(told), found
    assert all(one.startswith(start) for one, start in zip(found, told, strict=True)), found


@pytest.mark.parametrize("name", ["dev.yaml", "delivery.yaml", "sources/sender/source.yaml"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a: [", "not readable as YAML: "),
        (b"\xff\xfe\x00", "not readable as YAML: "),
        (b"a: !!int ''", "not readable as YAML: "),
        (b"a: " + b"9" * 5_000, "not readable as YAML: "),
        (b"- 1", "expected a mapping with "),
        (b"", "expected a mapping with "),
        (b"[" * 5_000, "nested too deep"),
        (b"#" * (LARGEST_FILE + 1), "expected 16,000,000 bytes or less"),
        ("folder", "expected a file, not a folder"),
        ("pipe", "expected a file, not a device or a pipe"),
        ("lost link", "there is no such file"),
    ],
)
def test_what_cannot_be_read_is_a_fault(
    tmp_path: Path, name: str, content: bytes | str, told: str
) -> None:
    (tmp_path / "other.yaml").write_text(STAGE)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "folder":
        path.mkdir()
    elif content == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.parent / "nowhere")
    result = CliRunner().invoke(app, ["config", "check", "--config", str(tmp_path), "--json"])
    (fault,) = json.loads(result.stdout)["faults"]
    assert (result.exit_code, fault["file"], fault["key"]) == (1, str(path), "")
    assert str(Fault("", "", fault["expected"], fault["found"])).startswith(told)


def test_a_file_that_a_delivery_pipeline_names_and_that_is_missing_is_a_fault(
    tmp_path: Path,
) -> None:
    (tmp_path / "delivery.yaml").write_text(
        'account: "111111111111"\nregion: us-west-2\n'
        "source: {mode: codecommit, repository: code}\n"
        "stages: [{name: one}, {name: two, settings: [chat/two.yaml]}]\n"
    )
    result = CliRunner().invoke(app, ["config", "check", "--config", str(tmp_path), "--json"])
    faults = json.loads(result.stdout)["faults"]
    assert [Path(fault["file"]).name for fault in faults] == ["one.yaml", "two.yaml"]
    assert all(fault["expected"].startswith("there is no such file") for fault in faults)


def test_a_wrong_file_ends_other_commands_with_the_status_of_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "config" / "sources" / "sender"
    folder.mkdir(parents=True)
    (folder / "source.yaml").write_text("version: 3\ntitle: 5\n")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["source", "show", "sender"])
    assert isinstance(result.exception, WrongSettingsError)
    assert [fault.key for fault in result.exception.faults] == ["version", "title"]


def test_an_error_is_a_line_for_each_fault() -> None:
    error = WrongSettingsError(Fault("a.yaml", "b.c", "expected 1 or more", "0"), "no file at all")
    assert str(error) == "a.yaml: b.c: expected 1 or more, not 0\nno file at all"
    assert error.faults[1] == Fault("", "", "no file at all")


def test_a_missing_file_is_said_by_the_reader(tmp_path: Path) -> None:
    with pytest.raises(WrongSettingsError, match="there is no such file"):
        read_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "a mapping"),
        ([1], "a list"),
        (None, "nothing"),
        (True, "true"),
        (b"\x00", "binary data"),
        (10**400, "a number of many digits"),
        ("a\x9b\u202eb\nc", r"'a\x9b\u202eb\nc'"),
        ("x" * 500, "'" + "x" * 79 + "…"),
    ],
)
def test_values_are_said_in_short_and_on_one_line(value: object, text: str) -> None:
    assert said(value) == text


def test_a_terminal_obeys_nothing_of_a_fault() -> None:
    assert one_line("a\x1b[31m\n\tb\u202e") == r"a\u001b[31m b\u202e"
