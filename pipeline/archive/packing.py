"""Packs lines into gzip objects as they come: neither their text is ever held whole, nor a list."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pipeline.archive import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_GZIP = 16 + zlib.MAX_WBITS
#: Lines are short; one call of the packer for each would cost more than the packing.
_PIECE_BYTES = 64 * 1024

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class LinesOf(Protocol[T_contra]):
    """Gives the lines of an item."""

    def __call__(self, item: T_contra, /, *, begins: bool) -> list[bytes]:
        """Return them; an object that begins with them must be understood by itself."""


@dataclass
class PackedObject(Generic[T]):
    """An object for the archive.

    Parameters
    ----------
    items : list[T]
        What its lines are of.
    size : int
        Its bytes, unpacked.
    """

    items: list[T] = field(default_factory=list)
    size: int = 0
    _packed: list[bytes] = field(default_factory=list)
    _waiting: list[bytes] = field(default_factory=list)
    _waiting_bytes: int = 0
    # In the header zlib writes no time: the same lines give the same bytes.
    _packer: Any = field(default_factory=lambda: zlib.compressobj(6, zlib.DEFLATED, _GZIP))

    def add(self, item: T, lines: Iterable[bytes], size: int) -> None:
        """Take an item, by its lines, which have so many bytes with their ends."""
        self.items.append(item)
        self._waiting += lines
        self._waiting_bytes += size
        self.size += size
        if self._waiting_bytes >= _PIECE_BYTES:
            self._pack()

    def content(self) -> bytes:
        """Return its bytes; nothing can be added then."""
        self._pack()
        self._packed.append(self._packer.flush())
        return b"".join(self._packed)

    def _pack(self) -> None:
        if self._waiting:
            text = b"\n".join([*self._waiting, b""])
            self._packed.append(self._packer.compress(text))
        self._waiting.clear()
        self._waiting_bytes = 0


def pack(items: Iterable[T], lines_of: LinesOf[T]) -> Iterator[PackedObject[T]]:
    """Pack items in their order, into another object before one has more than a reader trusts."""
    current: PackedObject[T] | None = None
    for item in items:
        lines = lines_of(item, begins=current is None)
        size = _size(lines)
        if current is not None and current.size + size > limits.LARGEST_OBJECT:
            yield current
            current = None
            lines = lines_of(item, begins=True)
            size = _size(lines)
        if current is None:
            current = PackedObject()
        current.add(item, lines, size)
    if current is not None:
        yield current


def _size(lines: list[bytes]) -> int:
    return sum(map(len, lines)) + len(lines)
