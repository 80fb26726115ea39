"""`extends`: settings of a source that are those of a built-in one, with changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settings.faults import Fault
from settings.reading import read_mapping
from settings.source.errors import SourceError
from settings.source.upgrading import NEWEST, upgraded

if TYPE_CHECKING:
    from pathlib import Path

EXTENDS = "extends"
EXAMPLE = "'version', 'title', …"
#: What a source says of itself: its name, its page and the steps on its sender's side.
_OWN = ("title", "documentation", "kind", "setup", "schemas")


def read_extended(folder: Path, catalog: Path) -> dict[str, Any]:
    """Read a `source.yaml`, over the settings of the built-in source that it extends.

    Mappings are merged key by key. Any other value, a list too, takes the place of the other one,
    and null takes it away. Title, documentation, kind, setup and schemas are not inherited.

    Parameters
    ----------
    catalog : Path
        The folder of the built-in sources.

    Raises
    ------
    SourceError
        When a file cannot be read, extends no built-in source, or extends itself in the end.
    """
    chain: list[tuple[Path, dict[str, Any]]] = []
    at: Path | None = folder
    while at is not None:
        path = at / "source.yaml"
        document = read_mapping(path, EXAMPLE, SourceError, folder=at)
        chain.append((at, document))
        at = _extended(path, document, catalog)
        if at is not None and at in {one for one, _ in chain}:
            names = " → ".join([*(one.name for one, _ in chain), at.name])
            raise SourceError(Fault(str(path), EXTENDS, f"a circle: {names}"))
    if chain[0][1].get("version") == NEWEST:
        chain = [(at, upgraded(document)) for at, document in chain]
    merged = chain.pop()[1]
    for _, document in reversed(chain):
        inherited = {key: value for key, value in merged.items() if key not in _OWN}
        merged = _merged(inherited, document)
    return merged


def _extended(path: Path, document: dict[str, Any], catalog: Path) -> Path | None:
    name = document.get(EXTENDS)
    if name is None:
        return None
    known = sorted(one.parent.name for one in catalog.glob("*/source.yaml"))
    if name not in known:
        expected = f"expected a built-in source: {', '.join(known)}"
        raise SourceError(Fault(str(path), EXTENDS, expected, repr(name)))
    return catalog / str(name)


def _merged(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    both = {key: _merged(below.get(key), value) for key, value in above.items()}
    return {key: value for key, value in (below | both).items() if value is not None}
