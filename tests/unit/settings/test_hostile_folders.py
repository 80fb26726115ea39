"""Source folders that somebody wrote to read, or to hold up, the machine that reads them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.bounded import MOST_NODES, UnfitFileError, parse_yaml, read_bounded
from settings.source.loader import SourceError, available_sources, load_source
from settings.source.sample_bodies import sample_bodies
from tests.support.command import run_here
from tests.support.no_access import forbid
from toolbox.sources.samples import load_samples

SECRET = "root:x:0:0"
SETTINGS: dict[str, Any] = {
    "version": 1,
    "title": "A sender",
    "authentication": {"type": "token", "header": "X-Token"},
    "delivery_id": {"path": "id"},
    "mozdef": {"category": "x", "severity": "INFO", "tags": ["x"], "summary": "x"},
    "schemas": {"default": "schemas/any.json"},
}
SAMPLE: dict[str, Any] = {
    "description": "x",
    "body": '{"id": 1}',
    "expect": {"outcome": "delivered"},
}
#: Longer than any of these takes, on any machine: it tells a hang from work.
HANGS_SECONDS = 600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound source folder, with what it may not read beside it."""
    made = tmp_path / "sources" / "sender"
    for name in ("schemas", "samples"):
        (made / name).mkdir(parents=True)
    (made / "source.yaml").write_text(yaml.safe_dump(SETTINGS))
    (made / "schemas" / "any.json").write_text("{}")
    (made / "samples" / "one.yaml").write_text(yaml.safe_dump(SAMPLE))
    (tmp_path / "secret.json").write_text(json.dumps({"title": SECRET, "pattern": SECRET}))
    (tmp_path / "secret.yaml").write_text(f"{SECRET} a")
    os.mkfifo(tmp_path / "pipe")
    return made


def fault_of(folder: Path) -> str:
    """The one fault, in one line, soon."""
    began = time.monotonic()
    with pytest.raises(SourceError) as caught:
        list(load_samples(load_source(folder)))
    assert time.monotonic() - began < HANGS_SECONDS
    (line,) = str(caught.value).splitlines()
    assert SECRET not in line
    return line


def test_the_folder_itself_is_sound(folder: Path) -> None:
    assert [sample.name for sample in load_samples(load_source(folder))] == ["one"]
    assert sample_bodies(folder) == {"one": {"id": 1}}


WAYS_OUT = [
    "/etc/passwd",
    "/dev/zero",
    "../../secret.json",
    "schemas/../../../secret.json",
    "../sender/schemas/any.json",
    "{tmp}/secret.json",
    "link.json",
    "linked/secret.json",
    "circle",
]


def _links(folder: Path) -> None:
    for below in (folder, folder / "samples"):
        (below / "link.json").symlink_to(folder.parent.parent / "secret.json")
        (below / "linked").symlink_to(folder.parent.parent)
        (below / "circle").symlink_to(below / "circle")


@pytest.mark.parametrize("way", WAYS_OUT)
@pytest.mark.parametrize("key", ["default", "types.push"])
def test_a_schema_that_is_elsewhere_is_not_read(folder: Path, way: str, key: str) -> None:
    _links(folder)
    way = way.format(tmp=folder.parent.parent)
    schemas = {"default": way} if key == "default" else {"types": {"push": way}}
    settings = {**SETTINGS, "event_type": {"path": "kind"}, "schemas": schemas}
    (folder / "source.yaml").write_text(yaml.safe_dump(settings))
    said = "leads out of the source's folder, of which alone is read"
    assert fault_of(folder) == f"{folder}/source.yaml: schemas.{key}: {way} {said}"


@pytest.mark.parametrize("way", WAYS_OUT)
def test_a_body_that_is_elsewhere_is_not_read(folder: Path, way: str) -> None:
    _links(folder)
    way = way.format(tmp=folder.parent.parent)
    sample = {**SAMPLE, "body_file": way}
    del sample["body"]
    (folder / "samples" / "one.yaml").write_text(yaml.safe_dump(sample))
    said = f"{way}: leads out of the source's folder, of which alone is read"
    assert fault_of(folder) == f"{folder}/samples/one.yaml: body_file: {said}"
    assert sample_bodies(folder) == {}


@pytest.mark.parametrize("name", ["source.yaml", "samples/one.yaml"])
def test_a_file_that_is_a_link_out_of_the_folder_is_not_read(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).symlink_to(folder.parent.parent / "secret.yaml")
    said = "leads out of the source's folder, of which alone is read"
    assert fault_of(folder) == f"{folder / name}: {said}"


def test_a_folder_of_samples_that_is_elsewhere_is_not_read(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    (folder / "samples").rename(elsewhere)
    (folder / "samples").symlink_to(elsewhere)
    assert "leads out of the source's folder" in fault_of(folder)
    assert sample_bodies(folder) == {}


def test_a_link_within_the_folder_is_followed(folder: Path) -> None:
    (folder / "schemas" / "any.json").rename(folder / "real.json")
    (folder / "schemas" / "any.json").symlink_to("../real.json")
    assert load_source(folder).default_schema == {}


def test_what_is_kept_beside_a_sample_is_not_written_elsewhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = folder.parent.parent / "victim"
    victim.write_text("mine")
    (folder / "samples" / "one.mozdef.json").symlink_to(victim)
    monkeypatch.chdir(folder.parent.parent)
    done = run_here("source", "check", str(folder), "--update")
    assert done.status != 0
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("name", ["source.yaml", "schemas/any.json", "samples/one.yaml"])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("pipe", "expected a file, not a device or a pipe"),
        ("folder", "expected a file, not a folder"),
        ("large", " bytes or less"),
    ],
)
def test_what_is_no_file_or_too_large_is_not_read(
    folder: Path, name: str, kind: str, said: str
) -> None:
    path = folder / name
    path.unlink()
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "large":
            with path.open("wb") as file:
                file.truncate(1 << 40)  # a terabyte of nothing
    assert fault_of(folder).startswith(f"{path}: ")
    assert said in fault_of(folder)


def test_what_has_no_size_and_no_end_is_read_within_bounds(tmp_path: Path) -> None:
    """A file of the kernel's own is regular, and says that it has no bytes."""
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(UnfitFileError, match="4 bytes or less"):
        read_bounded(path, 4)
    with pytest.raises(UnfitFileError, match="10 bytes or less"):
        read_bounded(Path("/proc/self/status"), 10)
    with pytest.raises(UnfitFileError, match="expected a file"):
        read_bounded(Path("/dev/zero"))


def _laughs(levels: int, join: str) -> str:
    lines = ["a0: &a0 {k: 1, l: 2}"]
    for level in range(1, levels):
        before = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} {join % before}")
    return "\n".join(lines)


BOMBS = {
    "laughs": (_laughs(12, "[%s]"), f"expected {MOST_NODES:,} values or less"),
    "merged laughs": (_laughs(12, "{<<: [%s]}"), f"expected {MOST_NODES:,} values or less"),
    "many": ("- a\n" * (MOST_NODES + 1), f"expected {MOST_NODES:,} values or less"),
    "deep": ("[" * 100_000, "nested too deep"),
    "deep blocks": ("".join(" " * n + "- \n" for n in range(2_000)), "nested too deep"),
    "deep keys": ("{a: " * 100_000, "nested too deep"),
    "long number": ("a: 1" + ":59" * 200_000, "a number of 600,001 characters"),
    "hexadecimal": ("a: 0x" + "f" * 2_000_000, "a number of 2,000,002 characters"),
    "digits": ("a: " + "9" * 1_000_000, "a number of 1,000,000 characters"),
    "holds itself": ("&a [*a]", "expected a mapping with"),
    "binary": ("\x00\x01\x02", "not readable as YAML"),
    "a class": ("!!python/object/apply:os.system [id]", "not readable as YAML"),
    "a list": ("- 1", "expected a mapping with"),
    "nothing": ("", "expected a mapping with"),
}


@pytest.mark.parametrize("name", ["source.yaml", "samples/one.yaml"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_what_grows_when_it_is_read_is_refused(folder: Path, name: str, bomb: str) -> None:
    text, said = BOMBS[bomb]
    (folder / name).write_text(text)
    line = fault_of(folder)
    assert line.startswith(f"{folder / name}: ")
    assert said in line
    assert sample_bodies(folder) in ({}, {"one": {"id": 1}})


def test_a_mapping_that_is_merged_into_itself_ends(folder: Path) -> None:
    (folder / "source.yaml").write_text("&a {<<: *a}")
    with pytest.raises(SourceError, match="this key is required"):
        load_source(folder)


def test_aliases_that_a_person_writes_are_read() -> None:
    text = "a: &a {k: [1, 2]}\nb: *a\nc: {<<: *a, l: 3}\n"
    assert parse_yaml(text.encode()) == {
        "a": {"k": [1, 2]},
        "b": {"k": [1, 2]},
        "c": {"k": [1, 2], "l": 3},
    }


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("[" * 100_000, "nested too deep"),
        ('{"not":' * 100_000, "nested too deep"),
        ('{"not":' * 400 + "{}" + "}" * 400, "nested too deep"),
        ("\x00", "not JSON"),
        ("9" * 10_000, "not JSON"),
        ("[]", "a schema is a JSON object, not list"),
        ('{"pattern": "^(a+)+$"}', "/pattern: a repeat in a repeat"),
        ('{"pattern": "("}', "/pattern: the pattern cannot be compiled"),
        ('{"patternProperties": {"(a|a)*b": {}}}', "/patternProperties/(a|a)*b: a repeat of"),
        ('{"definitions": {"x": {"pattern": "(a+)+"}}}', "/definitions/x/pattern: a repeat in"),
        ('{"properties": {"x": {"pattern": "a*a*a*$"}}}', "/properties/x/pattern: 3 repeats"),
    ],
)
def test_a_schema_that_would_hold_up_who_reads_it_is_refused(
    folder: Path, schema: str, said: str
) -> None:
    (folder / "schemas" / "any.json").write_text(schema)
    line = fault_of(folder)
    assert line.startswith(f"{folder / 'schemas' / 'any.json'}: ")
    assert said in line


@pytest.mark.parametrize("value", [7, None, [], {}, True, "", ".", "a\x00b", "x" * 5_000])
@pytest.mark.parametrize("key", ["default", "types"])
def test_a_schema_file_of_the_wrong_kind_is_one_line(folder: Path, key: str, value: object) -> None:
    if key == "default" and value is None:
        pytest.skip("no schema at all is right")
    schemas = {"default": value} if key == "default" else {"types": {"push": value}}
    (folder / "source.yaml").write_text(yaml.safe_dump({**SETTINGS, "schemas": schemas}))
    assert str(folder) in fault_of(folder)


@pytest.mark.parametrize("value", [7, [], {}, True, "", ".", "a\x00b", "x" * 5_000])
def test_a_body_file_of_the_wrong_kind_is_one_line(folder: Path, value: object) -> None:
    sample = {**SAMPLE, "body_file": value}
    del sample["body"]
    (folder / "samples" / "one.yaml").write_text(yaml.safe_dump(sample))
    assert fault_of(folder).startswith(f"{folder}/samples/one.yaml: body_file: ")


def test_a_source_that_may_not_be_looked_into_is_not_called_absent(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, folder)
    assert available_sources(folder.parent)["sender"] == folder
    assert fault_of(folder) == f"{folder}/source.yaml: cannot be read: Permission denied"


def test_nor_is_a_folder_of_sources(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = folder.parent
    forbid(monkeypatch, sources)
    with pytest.raises(SourceError) as caught:
        available_sources(sources)
    assert str(caught.value) == f"{sources}: cannot be read: Permission denied"
