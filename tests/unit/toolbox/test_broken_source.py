"""A private source folder that is broken stops what needs it, and nothing else."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.event.envelope import Envelope
from settings.source.loader import SourceError, load_source
from tests.support.command import run_here
from tests.support.receiving import SOURCES, write_sources
from toolbox.audit.known import parts_of
from toolbox.cli.replay_history import types_of_settings, windows_of_settings
from toolbox.cli.source_options import folders
from toolbox.replaying.wishes import Wishes, make_filter
from toolbox.sources.on_demand import catalog_on_demand

if TYPE_CHECKING:
    from collections.abc import Callable

    from settings.source.loader import LoadedSource

NAME = "broken"


def _no_yaml(folder: Path) -> None:
    (folder / "source.yaml").write_text("title: [\n", encoding="utf-8")


def _no_mapping(folder: Path) -> None:
    (folder / "source.yaml").write_text("- 1\n", encoding="utf-8")


def _wrong_keys(folder: Path) -> None:
    (folder / "source.yaml").write_text("version: 1\nvendor: x\n", encoding="utf-8")


def _no_text(folder: Path) -> None:
    (folder / "source.yaml").write_bytes(b"\xff\xfe\x00")


def _a_folder(folder: Path) -> None:
    (folder / "source.yaml").mkdir()


def _nested(folder: Path) -> None:
    (folder / "source.yaml").write_text("[" * 5_000, encoding="utf-8")


def _a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "source.yaml")


BREAKS = [_no_yaml, _no_mapping, _wrong_keys, _no_text, _a_folder, _nested, _a_pipe]


@pytest.fixture(autouse=True)
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The sound sources that are there besides it; the folder that the command is called in."""
    catalog = write_sources(tmp_path / "catalog")
    monkeypatch.setattr("settings.source.loader.CATALOG", catalog)
    monkeypatch.chdir(tmp_path)
    return {path.name for path in catalog.iterdir()}


@pytest.fixture(params=BREAKS, ids=lambda one: one.__name__)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made = tmp_path / "config" / "sources" / NAME
    made.mkdir(parents=True)
    break_it: Callable[[Path], None] = request.param
    break_it(made)
    return made


def _one_line(text: str) -> str:
    (line,) = [line for line in text.splitlines() if NAME in line]
    return line


def test_the_list_names_it_in_one_line_and_shows_the_others(folder: Path, others: set[str]) -> None:
    assert folder.is_dir()
    done = run_here("source", "list", "--json")
    assert done.status == 0, done.err
    listed = {one["name"] for one in json.loads(done.out)}
    assert listed == others
    assert f"source {NAME} is broken: " in _one_line(done.err)


def test_the_audit_has_the_others_and_names_it(
    folder: Path, others: set[str], tmp_path: Path
) -> None:
    assert folder.is_dir()
    with catalog_on_demand(folders(), {"meetings"}) as (catalog, broken):
        assert {name for name in folders() if catalog.get(name)} == others
    assert f"source {NAME} is broken: " in _one_line("\n".join(broken))


def test_a_replay_by_type_has_the_others_and_names_it(
    folder: Path, others: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert folder.is_dir()
    wanted = make_filter(Wishes(event_types=("push",)), datetime.now(UTC))
    assert set(types_of_settings(wanted, {"meetings"}).rules) == others
    assert f"source {NAME} is broken: " in _one_line(capsys.readouterr().err)
    assert set(windows_of_settings()) == others


def test_what_needs_it_stops_with_one_line(folder: Path, tmp_path: Path) -> None:
    assert folder.is_dir()
    needed = catalog_on_demand(folders(), {"meetings", NAME})
    with pytest.raises(SourceError, match=f"source {NAME} is broken: ") as caught, needed:
        pass
    assert len(str(caught.value).splitlines()) == 1
    named = make_filter(Wishes(event_types=("push",), sources=(NAME,)), datetime.now(UTC))
    with pytest.raises(SourceError, match=f"source {NAME} is broken: "):
        types_of_settings(named)
    unnamed = make_filter(Wishes(event_types=("push",)), datetime.now(UTC))
    with pytest.raises(SourceError, match=f"source {NAME} is broken: "):
        types_of_settings(unnamed, {NAME})


def test_a_schema_that_does_not_judge_as_it_should_is_its_sources_alone(
    others: set[str], tmp_path: Path
) -> None:
    folder = tmp_path / "config" / "sources" / NAME
    (folder / "schemas").mkdir(parents=True)
    settings = f"{SOURCES['meetings']}\nschemas:\n  default: schemas/wrong.json\n"
    (folder / "source.yaml").write_text(settings, encoding="utf-8")
    (folder / "schemas" / "wrong.json").write_text('{"type": "no such type"}', encoding="utf-8")
    with catalog_on_demand(folders(), ()) as (catalog, broken):
        assert {name for name in folders() if catalog.get(name)} == others
    assert "schemas/wrong.json" in _one_line("\n".join(broken))


def test_a_built_in_source_is_compiled_once_and_only_when_it_is_asked_for(
    others: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def load(folder: Path) -> LoadedSource:
        loaded.append(folder.name)
        return load_source(folder)

    monkeypatch.setattr("toolbox.sources.sound.CATALOG", tmp_path / "catalog")
    monkeypatch.setattr("toolbox.sources.on_demand.load_source", load)
    with catalog_on_demand(folders(), {"meetings"}) as (catalog, broken):
        assert loaded == broken == []
        assert catalog.get("nowhere") is None
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(catalog.get, ["meetings", "chat"] * 4))
        assert sorted(loaded) == ["chat", "meetings"]
        assert [one.name for one in found[:2] if one] == ["meetings", "chat"]
        assert len({id(one) for one in found}) == 2
        assert {*catalog.sources} == others
        assert len(catalog.sources) == len(others)


def test_a_built_in_source_that_is_broken_ends_an_audit_that_asks_for_it(
    others: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that cannot be looked up for it would be reported as missing."""
    assert "chat" in others
    monkeypatch.setattr("toolbox.sources.sound.CATALOG", tmp_path / "catalog")
    (tmp_path / "catalog" / "chat" / "source.yaml").write_text("title: [\n", encoding="utf-8")
    asked = Envelope("request-1", 0, "chat", "192.0.2.1", b"{}")
    with (
        catalog_on_demand(folders(), {"chat"}) as (catalog, _),
        pytest.raises(SourceError, match=r"chat/source\.yaml"),
    ):
        parts_of(asked, catalog)
