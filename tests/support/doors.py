"""Sources that are let in by other things than a header or a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.event.compiled_source import Catalog, load_catalog
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import load_sources

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = {
    "by-query": "authentication: {type: token, query: key}",
    "by-path": "authentication: {type: token, path: true}",
    "by-password": "authentication: {type: basic}",
    "by-network": "authentication: {type: network}\nallowed_networks: [192.0.2.0/24]",
    "by-nothing": "authentication: {type: none}",
}


def write_doors(directory: Path, sources: dict[str, str]) -> Path:
    """Write the folders of these sources, of which each is a few lines of settings."""
    for name, settings in sources.items():
        (directory / name).mkdir(parents=True)
        text = f"version: 1\ntitle: {name}\n{settings}\n"
        (directory / name / "source.yaml").write_text(text, encoding="utf-8")
    return directory


def compile_doors(
    directory: Path, package: str, path: list[str], sources: dict[str, str]
) -> Catalog:
    """Compile them as the build does, into a package on this path."""
    loaded = load_sources(sorted(sources), write_doors(directory / "sources", sources))
    write_compiled_catalog(loaded, directory, package)
    path.insert(0, str(directory))
    return load_catalog(package)
