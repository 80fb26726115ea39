"""A changed schema is tried on archived events and on samples before it is saved."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.archive.lines import ArchivedEvent
from pipeline.archive.reading import read_object
from settings.source.loader import CATALOG
from tests.support.private_source import NAME, NARROW, WHY, WIDE, make_source, rejected_line
from toolbox.sources import schema_trial
from toolbox.sources.schema_trial import (
    SchemaChangeError,
    SchemaFile,
    save_schema,
    schema_file,
    try_schema,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def schema(tmp_path: Path) -> SchemaFile:
    return schema_file(NAME, make_source(tmp_path), "down")


def archived(*lines: dict[str, Any]) -> list[ArchivedEvent]:
    text = gzip.compress(b"".join(orjson.dumps(one) + b"\n" for one in lines))
    found = [one for _, one in read_object(f"rejected/source={NAME}/x.jsonl.gz", [text])]
    assert all(isinstance(one, ArchivedEvent) for one in found)
    return [one for one in found if isinstance(one, ArchivedEvent)]


def test_events_pass_that_the_changed_schema_allows(schema: SchemaFile) -> None:
    events = archived(rejected_line(1), rejected_line(2), rejected_line(3, {"check": "ping"}))
    before = try_schema(schema, NARROW, events)
    assert (before.tried, before.passed, before.is_sound, before.is_well) == (3, 0, True, False)
    assert before.rejected[0].explanation == WHY
    after = try_schema(schema, WIDE, events)
    assert (after.tried, after.passed, after.samples, after.misfits) == (3, 2, 1, ())
    (left,) = after.rejected
    assert left.id == "request-3"
    assert "host" in left.explanation
    assert try_schema(schema, WIDE, events[:2]).is_well
    assert (schema.folder / schema.file).read_text() == NARROW


def test_a_sample_that_would_not_fit_is_named(schema: SchemaFile) -> None:
    found = try_schema(
        schema, NARROW.replace('"object"}}', '"string"}}'), archived(rejected_line(1))
    )
    assert (found.passed, found.is_sound, found.is_well) == (1, True, False)
    (misfit,) = found.misfits
    assert misfit.name == "down"
    assert "must be string" in misfit.faults[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ('{"type": "strin"}', "Unknown type"),
        ('{"properties": {"a": {"unevaluatedItems": false}}}', "/properties/a/unevaluatedItems"),
        ('{"$ref": "http://example.com/x"}', "/$ref"),
        ('{"pattern": "(a+)+$"}', "/pattern"),
        (f'{{"title": "{"x" * 1_000_001}"}}', "1,000,000 bytes"),
    ],
)
def test_a_schema_that_no_build_takes_is_told_with_its_place(
    schema: SchemaFile, text: str, said: str
) -> None:
    found = try_schema(schema, text, archived(rejected_line(1)))
    assert not found.is_sound
    assert found.tried == 0
    assert said in found.faults[0]
    assert str(schema.folder / schema.file) in found.faults[0]


def test_events_are_tried_up_to_a_bound(
    schema: SchemaFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_trial, "MOST_TRIED", 2)
    found = try_schema(schema, WIDE, archived(*map(rejected_line, range(3))))
    assert (found.tried, found.passed, found.more) == (2, 2, True)


def test_it_is_saved_in_one_step_and_only_over_what_was_read(schema: SchemaFile) -> None:
    path = schema.folder / schema.file
    path.chmod(0o640)
    save_schema(schema, WIDE)
    assert json.loads(path.read_text()) == json.loads(WIDE)
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in path.parent.iterdir()] == ["down.json"]
    with pytest.raises(SchemaChangeError, match="changed meanwhile"):
        save_schema(schema, NARROW)


def test_a_built_in_source_is_not_changed() -> None:
    with pytest.raises(SchemaChangeError, match="extends: github"):
        schema_file("github", CATALOG / "github", "push")


def test_a_built_in_source_is_not_changed_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "ours").symlink_to(CATALOG / "github")
    (tmp_path / "all").symlink_to(CATALOG)
    for folder in (tmp_path / "ours", tmp_path / "all" / "github"):
        with pytest.raises(SchemaChangeError, match="built in"):
            schema_file("ours", folder, "push")


def test_a_type_without_a_schema_has_none_to_change(tmp_path: Path) -> None:
    with pytest.raises(SchemaChangeError, match="no schema is for the type 'up'"):
        schema_file(NAME, make_source(tmp_path), "up")


def test_a_schema_outside_of_its_folder_is_not_read(tmp_path: Path) -> None:
    folder = make_source(tmp_path)
    (folder / "schemas" / "down.json").unlink()
    (folder / "schemas" / "down.json").symlink_to("/etc/hostname")
    with pytest.raises(SchemaChangeError, match=r"down\.json"):
        schema_file(NAME, folder, "down")
