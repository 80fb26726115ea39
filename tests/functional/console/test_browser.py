"""The browser that the console's tests use: it comes with the locks, and talks to nobody else."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import brotli
import pytest

from tests.support import browser
from tests.support.browser import BrowserMissingError, installed


def test_the_locked_browser_is_unpacked_whole_by_several_at_once(tmp_path: Path) -> None:
    """A small package of the same form, since the real one takes seconds."""
    package, packed = tmp_path / "package", io.BytesIO()
    (package / "bin").mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"version": "9.1"}))
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("lib/libnss3.so"), io.BytesIO())
    (package / "bin" / "al2023.tar.br").write_bytes(brotli.compress(packed.getvalue()))
    program = os.urandom(2 << 20)
    (package / "bin" / "chromium.br").write_bytes(brotli.compress(program, quality=0))
    with ThreadPoolExecutor(4) as pool:
        found = set(
            pool.map(
                lambda _: installed(tmp_path / "build", package).program.read_bytes(), range(4)
            )
        )
    assert found == {program}
    assert (tmp_path / "build" / "browser-9.1" / "lib" / "libnss3.so").is_file()


def test_a_missing_browser_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BrowserMissingError, match=r"make setup.*MOZDEF_EF_BROWSER"):
        installed(tmp_path, tmp_path / "package")
    monkeypatch.setenv(browser.SETTING, str(tmp_path / "chrome"))
    with pytest.raises(BrowserMissingError, match="which is no program"):
        installed(tmp_path)


def test_another_browser_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(browser.SETTING, sys.executable)
    assert installed(tmp_path) == browser.Installed(Path(sys.executable))
