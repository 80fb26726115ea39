"""The stage of the million, and the deployment that changes a schema in the midst of it."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import yaml

from loadtests.load.stage import write_small_source
from settings.reading import read_yaml
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import load_sources
from toolbox.synthesis import synthesize

if TYPE_CHECKING:
    from pathlib import Path

NAME = "million"
#: A source of the stage's own: a stock of goods, whose levels are words and later numbers.
INVENTORY = "inventory"
POLLED = "okta-system-log"
_CATALOG = "compiled_catalog"
_SETTINGS: dict[str, Any] = {
    "version": 1,
    "title": "An inventory",
    "authentication": {"type": "token", "prefix": "Bearer "},
    "delivery_id": {"path": "n"},
    "schemas": {"default": "stock.json"},
    "mozdef": {"summary": "Stock of {n}: {level}"},
}


def _schema(level: str) -> dict[str, Any]:
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": ["n", "level"],
        "properties": {"level": {"type": level}},
    }


def write_stage(settings: Path, folder: Path, *, feed: str) -> Path:
    """Write settings and sources of the stage into a folder, and its cloud assembly.

    Parameters
    ----------
    settings : Path
        The stage's settings without the address of the polled API.
    feed : str
        That address.

    Returns
    -------
    Path
        The cloud assembly.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stage = read_yaml(settings) | {"pollers": {POLLED: {"base_url": feed}}}
    (folder / f"{NAME}.yaml").write_text(yaml.safe_dump(stage))
    write_small_source(folder / "sources")
    _write_inventory(folder / "sources", "string")
    assembly = folder / "cdk.out"
    synthesize(NAME, assembly, folder)
    return assembly


def _write_inventory(sources: Path, level: str) -> None:
    folder = sources / INVENTORY
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.yaml").write_text(yaml.safe_dump(_SETTINGS, sort_keys=False))
    (folder / "stock.json").write_text(json.dumps(_schema(level)))


def with_numbers(assembly: Path, folder: Path) -> Path:
    """Return the assembly of the next deployment: levels are numbers, all else is as it was.

    The build's own code compiles the sources anew. Everything else of the functions' code, and the
    template, is what the first synthesis wrote.

    Parameters
    ----------
    folder : Path
        The stage's.
    """
    target = folder / "cdk.out-numbers"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(assembly, target, copy_function=os.link)
    sources = shutil.copytree(folder / "sources", folder / "sources-numbers", dirs_exist_ok=True)
    _write_inventory(sources, "integer")
    names = read_yaml(folder / f"{NAME}.yaml")["sources"]
    loaded = load_sources(names, sources)
    for catalog in {path.parent for path in target.glob(f"asset.*/{_CATALOG}/__init__.py")}:
        shutil.rmtree(catalog)
        write_compiled_catalog(loaded, catalog.parent)
    return target
