"""The wheel: every package with its data, and a command that works outside of the checkout."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import boto3
import pytest
from uv import find_uv_bin

from infra.assembly.app import ROOT
from tests.support.once import made_once

BACKEND = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["build-backend"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    def make(folder: Path) -> None:
        # uv has this project's build backend within itself: nothing is fetched.
        command = [find_uv_bin(), "build", "--quiet", "--offline", "--wheel", "-o", str(folder)]
        subprocess.run([*command, str(ROOT)], check=True)

    (file,) = made_once(tmp_path_factory, "wheel", "", make).glob("*.whl")
    return zipfile.ZipFile(file)


def test_it_holds_each_package_with_its_data(wheel: zipfile.ZipFile) -> None:
    files = {
        str(path.relative_to(ROOT))
        for package in BACKEND["module-name"]
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    held = {name for name in wheel.namelist() if not name.endswith("/")}
    assert {name for name in held if ".dist-info/" not in name} == files
    assert {
        "catalog/github/source.yaml",
        "catalog/github/schemas/push.json",
        "catalog/github/samples/push.yaml",
        "toolbox/costs/prices.yaml",
        "loadtests/config/soak.yaml",
        "loadtests/bench/config/bench.yaml",
        "loadtests/baseline.json",
    } <= held


def test_it_is_built_by_what_the_lock_has_with_its_hash() -> None:
    """uv takes the back-end that is within it, if the project asks for that version."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    (locked,) = re.findall(r"^uv==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert build == {"requires": [f"uv_build=={locked}"], "build-backend": "uv_build"}
    assert "--no-deps --offline --editable ." in (ROOT / "Makefile").read_text()


def test_it_names_each_package_of_the_project() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert set(BACKEND["module-name"]) == packages - {"tests"}


def test_its_command_works_without_the_checkout(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """In the place of a new virtual environment: its files, and the locked packages beside them."""
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    wheel.extractall(site)
    elsewhere.mkdir()
    (entry,) = site.glob("*.dist-info/entry_points.txt")
    assert "mozdef-ef = toolbox.cli.main:run" in entry.read_text()
    packages = str(Path(boto3.__file__).parents[1])
    # Without the site module, no .pth file leads back to the checkout. One interpreter is enough.
    program = f"""
import json, sys
sys.path += [{str(site)!r}, {packages!r}]
import toolbox
from toolbox.cli.main import run
print(toolbox.__file__)
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    try:
        run()
    except SystemExit as ended:
        print("status", ended.code)
"""
    wanted = {
        ("source", "list"): "github",
        ("source", "check"): "all fit",
        ("cost", "--events-per-second", "10", "--bytes", "1000"): "this design",
    }
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, json.dumps([*wanted])],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, _, rest = done.stdout.partition("\n")
    assert first == str(site / "toolbox" / "__init__.py")
    *shown, end = rest.split("status 0\n")
    assert end == "", done.stderr
    for said, part in zip(wanted.values(), shown, strict=True):
        assert said in part
    assert list(elsewhere.iterdir()) == []
