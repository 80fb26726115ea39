"""The bills of materials: what the layer and the build are made of, and nothing else."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.validation.json import JsonStrictValidator

from infra.assembly.app import ROOT
from infra.assembly.bills_of_materials import BUILD_BILL, FUNCTIONS_BILL, VERSION, write_bills
from infra.assembly.code import write_code
from infra.assembly.layer import LOCK, PROOFS_LOCK, build_layer
from infra.assembly.locks import BUILD_LOCK, NODE_LOCK, LockError, read_lock, read_node_lock
from settings.deployment import Deployment
from settings.source.loader import load_sources
from tests.support.once import made_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.conftest import Synthesized


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        write_code(ROOT, load_sources(["generic"]), folder / "code")

    return made_once(tmp_path_factory, "code", "generic", make) / "code"


@pytest.fixture(scope="module")
def built_layer() -> Path:
    return build_layer(ROOT, ROOT / "build")


@pytest.fixture(scope="module")
def bills(code: Path, built_layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bills")
    write_bills(ROOT, code, [built_layer], folder)
    return folder


def read(bills: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((bills / name).read_text())
    return document


def canonical(name: str) -> str:
    """PEP 503's form of a name, by its own words."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", [FUNCTIONS_BILL, BUILD_BILL])
def test_it_is_what_cyclonedx_says_that_it_is(bills: Path, name: str) -> None:
    assert JsonStrictValidator(VERSION).validate_str((bills / name).read_text()) is None


def test_each_distribution_in_the_built_layer_is_in_the_bill_and_no_other(
    bills: Path, built_layer: Path
) -> None:
    """The layer says by the metadata of what was installed, the bill by the lock."""
    layer = built_layer / "python"
    held = {
        (canonical(each.metadata["Name"]), each.version)
        for each in importlib.metadata.distributions(path=[str(layer)])
    }
    billed = {
        (canonical(each["name"]), each["version"])
        for each in read(bills, FUNCTIONS_BILL)["components"]
    }
    assert held == billed
    assert {"boto3", "s3transfer", "python-dateutil"}.isdisjoint(name for name, _ in held)
    # And no top-level package came without its metadata, and no metadata without its package.
    owned = {
        file.parts[0]
        for each in layer.glob("*.dist-info")
        for file in map(Path, _top_level(layer, each))
    }
    for each in layer.glob("*.dist-info"):
        assert any((layer / name).exists() for name in _top_level(layer, each)), each.name
    found = {path.name for path in layer.iterdir() if path.suffix != ".dist-info"}
    assert found <= owned


def _top_level(layer: Path, metadata: Path) -> list[str]:
    """Return what a distribution owns: by its top_level.txt, or by its name where it has none."""
    name, _, _ = metadata.name.removesuffix(".dist-info").partition("-")
    listed = metadata / "top_level.txt"
    names = listed.read_text().split() if listed.exists() else [name]
    names += {"protobuf": ["google"]}.get(name, [])
    return [each for one in names for each in (one, f"{one}.py", f"{one}.libs")]


def test_the_bill_of_the_build_is_all_that_the_locks_install(bills: Path) -> None:
    document = read(bills, BUILD_BILL)
    purls = {each["purl"] for each in document["components"]}
    python = {purl for purl in purls if purl.startswith("pkg:pypi/")}
    named = re.findall(
        r"^([\w.-]+)(?:\[.*\])?==([\w.+!]+)", (ROOT / BUILD_LOCK).read_text(), re.MULTILINE
    )
    assert {(canonical(name), version) for name, version in named} == {
        (canonical(name), version)
        for name, version in (purl.removeprefix("pkg:pypi/").split("@") for purl in python)
    }
    node = json.loads((ROOT / NODE_LOCK).read_text())["packages"]
    assert purls - python == {
        f"pkg:npm/{place.removeprefix('node_modules/').replace('@', '%40')}@{each['version']}"
        for place, each in node.items()
        if place
    }
    for name in (BUILD_LOCK, NODE_LOCK):
        digest = hashlib.sha256((ROOT / name).read_bytes()).hexdigest()
        assert {"alg": "SHA-256", "content": digest} in document["metadata"]["component"]["hashes"]
    assert {"pip-audit", "aws-cdk", "uv", "boto3"} <= {
        each["name"] for each in document["components"]
    }


def test_each_part_has_the_hashes_that_it_is_installed_by(bills: Path) -> None:
    text = (ROOT / LOCK).read_text()
    for each in read(bills, FUNCTIONS_BILL)["components"]:
        hashes = [one["content"] for file in each["externalReferences"] for one in file["hashes"]]
        assert hashes
        (entry,) = re.findall(
            rf"^{re.escape(each['name'])}==.*\n((?: +--hash=.*\n)+)", text, re.MULTILINE
        )
        assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]{64})", entry))


def test_the_same_commit_gives_the_same_bytes_and_other_code_another_bill(
    bills: Path, code: Path, built_layer: Path, tmp_path: Path
) -> None:
    write_bills(ROOT, code, [built_layer], tmp_path / "again")
    for name in (FUNCTIONS_BILL, BUILD_BILL):
        assert (tmp_path / "again" / name).read_bytes() == (bills / name).read_bytes()
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "other.py").write_text("")
    write_bills(ROOT, tmp_path / "code", [built_layer], tmp_path / "other")
    ours, other = read(bills, FUNCTIONS_BILL), read(tmp_path / "other", FUNCTIONS_BILL)
    assert ours["serialNumber"] != other["serialNumber"]
    assert ours["components"] == other["components"]


@pytest.mark.parametrize("name", [FUNCTIONS_BILL, BUILD_BILL])
def test_it_names_no_registry_no_machine_and_no_time(bills: Path, name: str) -> None:
    document = read(bills, name)
    assert "timestamp" not in document["metadata"]
    text = (bills / name).read_text().replace(document["$schema"], "")
    assert "://" not in text
    assert str(ROOT) not in text


def test_they_are_published_with_the_assets_and_the_stack_says_where(
    synthesized: Callable[[Deployment], Synthesized],
) -> None:
    stack = synthesized(
        Deployment(
            stage="test",
            service="ingest",
            sources=("github", "stripe", "generic", "gitlab", "zoom"),
        )
    )
    url = stack.document["Outputs"]["BillsOfMaterials"]["Value"]["Fn::Sub"]
    key = url.rpartition("/")[2]
    assert {path.name for path in stack.asset(key).iterdir()} == {FUNCTIONS_BILL, BUILD_BILL}
    (published,) = [
        file
        for manifest in stack.folder.glob("*.assets.json")
        for file in json.loads(manifest.read_text())["files"].values()
        if any(place["objectKey"] == key for place in file["destinations"].values())
    ]
    assert published["source"]["packaging"] == "zip"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("six>=1 --hash=sha256:ab\n", "six has no version"),
        ("six==1\n", "six has no version or no hash"),
        ("six @ file --hash\n", "is no requirement"),
    ],
)
def test_a_lock_that_holds_nothing_to_its_hash_is_refused(
    tmp_path: Path, text: str, fault: str
) -> None:
    (tmp_path / "x.lock").write_text(text)
    with pytest.raises(LockError, match=fault):
        read_lock(tmp_path / "x.lock")


def test_a_node_package_without_a_hash_is_refused(tmp_path: Path) -> None:
    lock = {"packages": {"": {}, "node_modules/a": {"version": "1"}}}
    (tmp_path / "x.json").write_text(json.dumps(lock))
    with pytest.raises(LockError, match="a has no hash"):
        read_node_lock(tmp_path / "x.json")


def test_what_is_locked_but_not_in_the_layer_is_not_said_to_ship(
    tmp_path: Path, code: Path
) -> None:
    for name in ("pyproject.toml", BUILD_LOCK, NODE_LOCK, PROOFS_LOCK):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / LOCK).write_text(
        f"one-a==1 --hash=sha256:{'a' * 64}\n"
        f"two==2 ; sys_platform == 'win32' --hash=sha256:{'b' * 64}\n"
        f"three==3 --hash=sha256:{'c' * 64}\n"
    )
    for name, version in (("One_A", "1"), ("three", "2")):
        metadata = tmp_path / "layer" / "python" / f"{name}-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text(f"Name: {name}\nVersion: {version}\n")
    write_bills(tmp_path, code, [tmp_path / "layer"], tmp_path / "bills")
    document = read(tmp_path / "bills", FUNCTIONS_BILL)
    assert {each["name"] for each in document["components"]} == {"one-a"}
