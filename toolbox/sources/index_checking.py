"""Checks sources against all that shares MozDef's index with them, whoever wrote them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from settings.faults import Fault
from settings.source.loader import available_sources, load_source
from toolbox.mozdef.index import MOST_FIELDS
from toolbox.sources.checking import CheckedSample, check_sources
from toolbox.sources.index_faults import fields_of, index_faults, message_faults, seen
from toolbox.sources.sound import read_sound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from settings.deployment import Deployment
    from settings.source.loader import LoadedSource
    from toolbox.sources.index_faults import IndexFault, Seen


def conflicts(
    checked: Iterable[CheckedSample], others: Mapping[str, Path]
) -> dict[str, list[IndexFault]]:
    """Return what the index refuses of checked sources, by source.

    Parameters
    ----------
    checked : Iterable[CheckedSample]
        The samples of the sources, as they ended.
    others : Mapping[str, Path]
        The folders of all other sources that MozDef may get events of; a broken one is left out.
    """
    own = [item for one in checked for item in seen(one.source, one.sample, one.messages)]
    names = {one.source for one in own}
    loaded, _ = read_sound(others, load_source)
    if not any(_shares_names(one) for one in own):
        # Below a name of its own, a source meets those alone that write beside it.
        loaded = {name: one for name, one in loaded.items() if _writes_at_top(one)}
    every, _ = read_sound({name: one.folder for name, one in loaded.items()}, _seen_of)
    all_seen = [*own, *(item for found in every.values() for item in found)]
    faults: dict[str, list[IndexFault]] = {}
    for fault in index_faults(all_seen, names):
        for name in names.intersection(fault.sources):
            faults.setdefault(name, []).append(fault)
    return faults


def _shares_names(one: Seen) -> bool:
    return one.source not in (one.handled.document or {}).get("details", {})


def _writes_at_top(source: LoadedSource) -> bool:
    mozdef = source.settings.mozdef
    return mozdef.body == "top" or mozdef.details != "body" or mozdef.plugin is not None


def _seen_of(folder: Path) -> Sequence[Seen]:
    # What the catalogue has stays the same while a process lives, and takes seconds.
    return _of_catalogue(folder) if folder in available_sources().values() else _samples_of(folder)


def _samples_of(folder: Path) -> Sequence[Seen]:
    checked = check_sources({folder.name: load_source(folder)})
    return [item for one in checked for item in seen(one.source, one.sample, one.messages)]


_of_catalogue = cache(_samples_of)


def private_faults(directories: Iterable[Path]) -> list[Fault]:
    """Return what the index refuses of the samples of private sources, as faults of their folders.

    Parameters
    ----------
    directories : Iterable[Path]
        Each holds folders of sources. What is wrong with a folder else is not said here.
    """
    faults = []
    for directory in directories:
        every = available_sources(directory)
        private = {name: folder for name, folder in every.items() if folder.parent == directory}
        sound, _ = read_sound(
            private, lambda folder: check_sources({folder.name: load_source(folder)})
        )
        checked = [one for samples in sound.values() for one in samples]
        said: list[tuple[str, object]] = [
            (one.source, fault)
            for one in checked
            for message in one.messages
            for fault in message_faults(message)
        ]
        others = {name: folder for name, folder in every.items() if name not in private}
        found = conflicts(checked, others) if checked else {}
        said += [(name, fault) for name, several in found.items() for fault in several]
        faults += [Fault(str(private[name]), "mozdef.rules", str(fault)) for name, fault in said]
    return faults


def crowded_stages(stages: Mapping[str, Deployment]) -> list[Fault]:
    """Return the stages whose sources' samples alone have more fields than MozDef's index takes.

    Parameters
    ----------
    stages : Mapping[str, Deployment]
        By the file of their settings.
    """
    faults = []
    for path, deployment in stages.items():
        folders = available_sources(deployment.source_directory)
        chosen = {name: folders[name] for name in deployment.sources if name in folders}
        sound, _ = read_sound(chosen, _seen_of)
        count = fields_of(one for several in sound.values() for one in several)
        if count > MOST_FIELDS:
            expected = (
                f"the samples of these {len(chosen)} sources have {count:,} fields, and MozDef's "
                f"index takes {MOST_FIELDS:,}: raise its index.mapping.total_fields.limit, or have "
                "fewer with mozdef.rules"
            )
            faults.append(Fault(path, "sources", expected))
    return faults


def conflict_rows(found: Mapping[str, list[IndexFault]]) -> list[CheckedSample]:
    """Return conflicts in the form of a sample that does not fit."""
    expected, actual = "all in one index", "conflicts"
    return [
        CheckedSample(name, "-", expected, actual, tuple(map(str, faults)))
        for name, faults in sorted(found.items())
    ]
