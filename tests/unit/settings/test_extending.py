"""`extends`: what is inherited, what is replaced, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from settings.source.errors import SourceError
from settings.source.loader import read_source_settings

if TYPE_CHECKING:
    from pathlib import Path

BASE = {
    "version": 1,
    "title": "The base",
    "kind": "any",
    "documentation": "https://docs.example.com/base",
    "setup": ["Give it {url}."],
    "authentication": {
        "type": "hmac",
        "header": "X-Sig",
        "signed": "{timestamp}.{body}",
        "timestamp": {"header": "X-Time", "tolerance_seconds": 60},
    },
    "headers": {"keep": ["X-Sig", "X-Time"]},
    "schemas": {"default": "schemas/default.json"},
    "mozdef": {"timestamp": "time", "severity_by_type": {"a": "NOTICE", "b": "WARNING"}},
}


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("settings.source.loader.CATALOG", tmp_path)
    put(tmp_path, "base", BASE)
    return tmp_path


def put(catalog: Path, name: str, document: Any) -> Path:
    folder = catalog / name
    folder.mkdir()
    (folder / "source.yaml").write_text(yaml.safe_dump(document))
    return folder


def test_mappings_are_merged_and_lists_replaced(catalog: Path) -> None:
    folder = put(
        catalog,
        "sender",
        {
            "version": 1,
            "title": "A sender",
            "extends": "base",
            "authentication": {"header": "X-Other", "timestamp": {"header": "X-When"}},
            "headers": {"keep": ["X-Other", "X-When"]},
            "mozdef": {"timestamp": None, "severity_by_type": {"b": "ERROR"}},
        },
    )
    found = read_source_settings(folder)
    assert found.title == "A sender"
    assert found.hmac is not None
    assert found.hmac.timestamp is not None
    assert (found.hmac.header, found.hmac.signed) == ("X-Other", "{timestamp}.{body}")
    assert (found.hmac.timestamp.header, found.hmac.timestamp.tolerance_seconds) == ("X-When", 60)
    assert found.headers.keep == ("X-Other", "X-When")
    assert found.mozdef.severity_by_type == {"a": "NOTICE", "b": "ERROR"}
    assert found.mozdef.timestamps == ()


def test_what_a_sender_says_of_itself_is_its_own(catalog: Path) -> None:
    folder = put(catalog, "sender", {"version": 1, "title": "A sender", "extends": "base"})
    found = read_source_settings(folder)
    assert (found.kind, found.documentation, found.setup) == (None, None, ())
    assert found.schemas.default is None


def test_a_chain_reaches_the_first(catalog: Path) -> None:
    put(catalog, "middle", {"version": 1, "title": "M", "extends": "base", "methods": ["PUT"]})
    folder = put(catalog, "last", {"version": 1, "title": "L", "extends": "middle"})
    found = read_source_settings(folder)
    assert (found.methods, found.proof) == (("PUT",), "hmac")


@pytest.mark.parametrize("name", ["nobody", "../base", 7])
def test_only_built_in_sources_are_extended(catalog: Path, name: object) -> None:
    folder = put(catalog, "sender", {"version": 1, "title": "A sender", "extends": name})
    with pytest.raises(
        SourceError, match=r"sender/source.yaml: extends: expected a built-in.*base"
    ):
        read_source_settings(folder)


def test_a_circle_is_named(catalog: Path) -> None:
    put(catalog, "one", {"version": 1, "title": "O", "extends": "two"})
    folder = put(catalog, "two", {"version": 1, "title": "T", "extends": "one"})
    with pytest.raises(SourceError, match="extends: a circle: two → one → two"):
        read_source_settings(folder)


def test_a_step_names_url_and_secret_alone(catalog: Path) -> None:
    folder = put(catalog, "sender", BASE | {"setup": ["Paste {token}."]})
    with pytest.raises(SourceError, match=r"setup.0: \{token\} is unknown; use \{url\} and"):
        read_source_settings(folder)
