"""Version 2 of `source.yaml`: what changes, what stays, and that both mean the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from settings.source.errors import SourceError
from settings.source.loader import read_source_settings
from settings.source.upgrading import upgraded, upgraded_text
from tests.support.receiving import SOURCES

if TYPE_CHECKING:
    from pathlib import Path

OLD = """\
# A sender of ours.
version: 1  # the first
title: Ours
ingest: receiver
authentication: {type: hmac, header: X-Sig}

# Signed as events are.
handshake:
  # lost
  get: {header: X-Ask, field: verification}

  post:
    path: type
    equals: verify
    challenge: challenge
    answer: {challenge: $challenge, proof: $hmac}
# And this stays.
headers: {keep: [X-Sig]}
"""
PLAIN = "version: 1\ntitle: x\nauthentication: {type: token}\n"


def read(folder: Path, text: str) -> object:
    folder.mkdir(exist_ok=True)
    (folder / "source.yaml").write_text(text)
    return read_source_settings(folder)


@pytest.mark.parametrize("text", [OLD, *SOURCES.values(), PLAIN])
def test_an_upgraded_file_means_the_same(tmp_path: Path, text: str) -> None:
    old, new = read(tmp_path / "a", text), read(tmp_path / "b", upgraded_text(text))
    assert (old.version, new.version) == (1, 2)  # type: ignore[attr-defined]
    assert old.handshake_rules == new.handshake_rules  # type: ignore[attr-defined]
    changed = {"version": 2, "handshake": None}
    assert old.model_copy(update=changed) == new.model_copy(update=changed)  # type: ignore[attr-defined]
    assert upgraded_text(upgraded_text(text)) == upgraded_text(text)
    assert yaml.safe_load(upgraded_text(text)) == upgraded(yaml.safe_load(text))


def test_comments_stay_where_they_are() -> None:
    new = upgraded_text(OLD)
    assert new.startswith("# A sender of ours.\nversion: 2  # the first\n")
    assert "# Signed as events are.\nhandshake:\n- when:\n    method: GET\n" in new
    assert "\n# And this stays.\nheaders: {keep: [X-Sig]}\n" in new
    assert "# lost" not in new


def test_the_newest_version_has_no_old_words(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="handshake: is a list of rules in version 2"):
        read(tmp_path / "a", OLD.replace("version: 1", "version: 2"))


def test_a_source_of_the_newest_version_extends_an_older_one(tmp_path: Path) -> None:
    text = "version: 2\nextends: zoom\ntitle: Ours\n"
    settings = read(tmp_path / "a", text)
    assert len(settings.handshake_rules) == 1  # type: ignore[attr-defined]
