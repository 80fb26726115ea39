"""A catalogue of which a source is compiled when it is first asked for.

An audit asks for a source where it meets an event that no ledger has. To compile all of them takes
a second.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from pipeline.event.compiled_source import Catalog
from settings.source.compiler import check_validators
from settings.source.loader import load_source
from toolbox.sources.rehearsal import compiled
from toolbox.sources.sound import origin, read_sound

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from pipeline.event.compiled_source import CompiledSource
    from settings.source.loader import LoadedSource


class _OnDemand(Mapping[str, "CompiledSource"]):
    """Sources that are compiled, and folders of those that can be."""

    def __init__(
        self, ready: Mapping[str, CompiledSource], others: Mapping[str, Path], open_: ExitStack
    ) -> None:
        self._ready, self._others, self._open = dict(ready), others, open_
        self._one_at_a_time = threading.Lock()

    def __getitem__(self, name: str) -> CompiledSource:
        with self._one_at_a_time:
            if name not in self._ready:
                loaded = {name: load_source(self._others[name])}
                self._ready |= self._open.enter_context(compiled(loaded, check=False)).sources
            return self._ready[name]

    def __iter__(self) -> Iterator[str]:
        return iter({*self._ready, *self._others})

    def __len__(self) -> int:
        return len({*self._ready, *self._others})


@contextmanager
def catalog_on_demand(
    folders: Mapping[str, Path], deployed: Collection[str]
) -> Iterator[tuple[Catalog, list[str]]]:
    """Compile private sources, which may be broken; built-in ones when they are asked for.

    Parameters
    ----------
    folders : Mapping[str, Path]
        Every source that there is, by name.
    deployed : Collection[str]
        The names of the deployment's sources.

    Yields
    ------
    tuple[Catalog, list[str]]
        The catalogue; and a line for each private folder that is broken, and left out.

    Raises
    ------
    SourceError
        When one of the deployment's private sources is broken; of the others, when one that is
        asked for is.
    """
    private = {name: each for name, each in folders.items() if origin(each) == "private"}
    built_in = {name: each for name, each in folders.items() if name not in private}
    sources, broken = read_sound(private, _load_checked, deployed)
    with ExitStack() as open_, compiled(sources, check=False) as catalog:
        yield Catalog(_OnDemand(catalog.sources, built_in, open_)), broken


def _load_checked(folder: Path) -> LoadedSource:
    """Load a private source whose validators judge as they should; tests check built-in ones."""
    source = load_source(folder)
    check_validators(source)
    return source
