"""Source folders: what is wrong is said, with file and key."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from fastjsonschema import JsonSchemaValueException

from pipeline.event.compiled_source import CatalogError, load_catalog
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import SourceError, available_sources, load_source, load_sources
from tests.support.catalogue import built_in, built_in_samples
from toolbox.sources.samples import load_samples

if TYPE_CHECKING:
    from pathlib import Path

    from settings.source.loader import LoadedSource

HMAC = {"type": "hmac", "header": "X-Sig"}
GOOD: dict[str, Any] = {
    "version": 1,
    "title": "A sender",
    "authentication": HMAC,
    "headers": {"keep": ["X-Sig", "X-Event", "Content-Type"]},
}


def folder(tmp_path: Path, document: Any, name: str = "sender") -> Path:
    path = tmp_path / name
    path.mkdir(exist_ok=True)
    (path / "source.yaml").write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "version: expected 1 or 2, not 3"),
        ({"titel": "x"}, "titel: unknown key"),
        (
            {"authentication": {"type": "magic"}},
            "authentication.type: .*'token', 'hmac'.*, not 'magic'",
        ),
        ({"authentication": {"type": "hmac"}}, "authentication.header: give one of 'header'"),
        (
            {"authentication": HMAC | {"algorithm": "md5"}},
            "authentication.algorithm: expected 'sha1', 'sha256', 'sha384' or 'sha512'",
        ),
        (
            {"authentication": HMAC | {"signed": "x"}},
            "authentication.signed: must contain {body} exactly once",
        ),
        (
            {"authentication": HMAC | {"signed": "{who}{body}"}},
            "authentication.signed: {who} is unknown",
        ),
        (
            {"authentication": HMAC | {"signed": "{timestamp}{body}"}},
            "authentication.signed: contains .* if and only if 'timestamp' is set",
        ),
        (
            {"authentication": HMAC | {"header": "X-Other"}},
            "authentication: header X-Other must be in headers.keep",
        ),
        (
            {"headers": {"keep": ["X-Sig", "Authorization"]}},
            "headers.keep: Authorization carries a secret",
        ),
        ({"event_type": {"header": "X-Other"}}, "event_type: header X-Other must be listed"),
        ({"event_type": {}}, "event_type: give either 'header' or 'path'"),
        (
            {"delivery_id": {"header": "X", "path": "y"}},
            "delivery_id: give either 'header', 'path', or 'paths' and 'where_present'",
        ),
        ({"allowed_networks": ["10.0.0.1/8"]}, "allowed_networks: '10.0.0.1/8' is no network"),
        (
            {"content_types": ["application/x-www-form-urlencoded"]},
            "form_field: is set if and only",
        ),
        ({"mozdef": {"severity": "LOUD"}}, "mozdef.severity: expected 'DEBUG'"),
        ({"deduplication_hours": -1}, "deduplication_hours: expected 0 or more, not -1"),
        ({"schemas": {"types": {"a": "a.json"}}}, "schemas.types: set event_type"),
        ({"schemas": {"unknown_types": "reject"}}, "schemas.unknown_types: 'reject' without types"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError) as caught:
        load_source(folder(tmp_path, GOOD | change))
    for fault, line in zip(caught.value.faults, str(caught.value).splitlines(), strict=True):
        assert line == str(fault)
        assert fault.file.startswith(str(tmp_path / "sender"))
    assert any(re.search(f": {message}", line) for line in str(caught.value).splitlines())


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{", "not JSON"),
        ("[]", "a schema is a JSON object, not list"),
        (
            '{"$schema": "https://json-schema.org/draft/2020-12/schema"}',
            "2020-12/schema cannot be compiled; use one of draft-04, draft-06, draft-07",
        ),
        ('{"properties": {"a": {"$ref": "https://example.com/x"}}}', "another document"),
        ('{"$ref": "#/definitions/none"}', "leads nowhere"),
        ('{"type": "strnig"}', "cannot be compiled"),
        ('{"pattern": "("}', "cannot be compiled"),
    ],
)
def test_a_schema_that_cannot_be_compiled_is_refused(
    tmp_path: Path, schema: str, message: str
) -> None:
    path = folder(tmp_path, GOOD | {"schemas": {"default": "s.json"}})
    (path / "s.json").write_text(schema)
    with pytest.raises(SourceError, match=rf"s\.json: .*{message}"):
        load_source(path)


def test_a_folder_that_cannot_be_a_route(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="name is the route"):
        load_source(folder(tmp_path, GOOD, "Not A Route"))


@pytest.mark.parametrize("text", ["a: [", "- 1", "\xff: \x00"])
def test_a_file_that_is_no_yaml_mapping(tmp_path: Path, text: str) -> None:
    path = folder(tmp_path, GOOD)
    (path / "source.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(SourceError, match=r"source\.yaml"):
        load_source(path)


def test_private_sources_load_beside_the_catalogue_and_before_it(tmp_path: Path) -> None:
    folder(tmp_path, GOOD, "sender")
    folder(tmp_path, GOOD | {"title": "ours"}, "generic")
    loaded = load_sources(["sender", "generic", "github"], tmp_path)
    assert [source.settings.title for source in loaded.values()][:2] == ["A sender", "ours"]
    with pytest.raises(SourceError, match=r"slcak: no such source; there are .*generic, .*github"):
        load_sources(["slcak"], tmp_path)


def test_a_wrong_sample_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path, GOOD)
    (path / "samples").mkdir()
    (path / "samples" / "one.yaml").write_text(
        yaml.safe_dump({"description": "x", "body": "{}", "expect": {"outcome": "rejected"}})
    )
    with pytest.raises(SourceError, match=r"one\.yaml: expect\.reason: is given if and only if"):
        list(load_samples(load_source(path)))


def test_compiling_is_deterministic(sources: dict[str, LoadedSource], tmp_path: Path) -> None:
    contents = []
    for run in ("a", "b"):
        write_compiled_catalog(dict(reversed(sources.items())), tmp_path / run)
        files = sorted((tmp_path / run).rglob("*.py"))
        contents.append({file.relative_to(tmp_path / run): file.read_bytes() for file in files})
    assert contents[0] == contents[1]
    assert len(contents[0]) > 10


def test_sources_with_like_names_keep_their_own_schemas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, kind in (("a-b", "string"), ("a--b", "integer")):
        source = folder(tmp_path, GOOD | {"schemas": {"default": "event.json"}}, name)
        schema = {"type": "object", "properties": {"n": {"type": kind}}}
        (source / "event.json").write_text(json.dumps(schema))
    write_compiled_catalog(load_sources(["a-b", "a--b"], tmp_path), tmp_path, "like_names")
    monkeypatch.syspath_prepend(str(tmp_path))
    sources = load_catalog("like_names").sources
    for name, good, bad in (("a-b", "text", 1), ("a--b", 1, "text")):
        validate = sources[name].validator("")
        assert validate is not None
        validate({"n": good})
        with pytest.raises(JsonSchemaValueException):
            validate({"n": bad})


def test_a_catalogue_that_was_not_built_is_said() -> None:
    with pytest.raises(CatalogError, match="run 'mozdef-ef synth'"):
        load_catalog("no_such_package")


@pytest.mark.parametrize("name", sorted(available_sources()))
def test_catalogue_schemas_never_close_an_object(name: str) -> None:
    """Senders add fields at any time; a closed object would refuse real events."""
    source = built_in(name)
    texts = [json.dumps(schema) for schema in (*source.schemas.values(), source.default_schema)]
    assert all('"additionalProperties": false' not in text for text in texts)
    assert len(built_in_samples(name)) >= 6
