"""The stage that the load test runs: its settings, and Zoom's events without the receiver."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from settings.reading import read_yaml
from settings.source.loader import CATALOG
from toolbox.synthesis import synthesize

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "load"
#: Zoom's settings and schemas; taken by API Gateway alone, as the way of most sources is.
SMALL = "zoom-direct"
_SETTINGS = Path(__file__).parent.parent / "config" / f"{NAME}.yaml"


def write_stage(folder: Path, changes: Mapping[str, Mapping[str, object]] | None = None) -> Path:
    """Write settings and sources of the stage into a folder, and its cloud assembly.

    Parameters
    ----------
    changes : Mapping[str, Mapping[str, object]], optional
        By part of the settings and name, what is in the place of the load test's own.

    Returns
    -------
    Path
        The cloud assembly.

    Raises
    ------
    PipelineError
        With what the stack's code said was wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = read_yaml(_SETTINGS)
    for part, values in (changes or {}).items():
        settings[part] = {**settings.get(part, {}), **values}
    (folder / _SETTINGS.name).write_text(yaml.safe_dump(settings, sort_keys=False))
    write_small_source(private_sources(folder))
    assembly = folder / "cdk.out"
    synthesize(NAME, assembly, folder)
    return assembly


def private_sources(folder: Path) -> Path:
    """Return the directory of the stage's own sources."""
    return folder / "sources"


def write_small_source(sources: Path) -> None:
    """Write the source of the 1 KB events: Zoom's, without receiver and handshake.

    The receiver is a function that is called for each request. On this machine that would measure
    how fast a process can be called; on AWS it runs beside what is measured here.
    """
    folder = sources / SMALL
    shutil.copytree(CATALOG / "zoom", folder, dirs_exist_ok=True)
    settings = read_yaml(CATALOG / "zoom" / "source.yaml")
    for only_with_receiver in ("ingest", "handshake"):
        del settings[only_with_receiver]
    (folder / "source.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    for sample in (folder / "samples").glob("*.yaml"):
        if read_yaml(sample)["expect"]["outcome"] != "delivered":
            sample.unlink()
