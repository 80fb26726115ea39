"""Reads files that others wrote: regular ones, in the folder they belong to, up to a size."""

from __future__ import annotations

import os
import pickle
import stat
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import yaml
from yaml.composer import Composer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LARGEST_FILE = 16_000_000
"""Bytes: a sample may hold a request of 10 MB, the most that API Gateway takes, as base64."""

MOST_NODES = 10_000
"""Values in a YAML file, each alias counted as all that it stands for."""

_REMEMBERED_BYTES = 100_000
_DEEPEST = 100
_LONGEST_SCALAR = 1_000
"""Characters of a number or a date: Python reads some spellings in quadratic time."""

_TEXT_TAGS = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:binary"})


ABSENT = "there is no such file"
OUTSIDE = "leads out of the source's folder, of which alone is read"


class UnfitFileError(Exception):
    """A file is not read; the message is what was expected, `found` what is there instead."""

    def __init__(self, expected: str, found: str = "") -> None:
        super().__init__(expected)
        self.found = found


class MissingFileError(UnfitFileError):
    """There is no such file."""


def read_own(folder: Path, file: Path, most: int = LARGEST_FILE) -> bytes:
    """Read a file of a folder, and nothing outside of that folder.

    Parameters
    ----------
    file : Path
        With the folder in front.

    Raises
    ------
    UnfitFileError
        As `read_bounded`, and when a link, `..` or an absolute path leads out of the folder.
    """
    if leads_out(folder, file):
        raise UnfitFileError(OUTSIDE)
    return read_bounded(file, most)


def leads_out(folder: Path, file: Path) -> bool:
    """Tell whether a path names, or by a link leads to, something outside of a folder."""
    try:
        within = file.relative_to(folder)
        return ".." in within.parts or not file.resolve().is_relative_to(folder.resolve())
    except (ValueError, OSError, RuntimeError):  # RuntimeError: links that lead in a circle
        return True


def read_bounded(path: Path, most: int = LARGEST_FILE) -> bytes:
    """Read a regular file.

    Raises
    ------
    UnfitFileError
        When it is missing, is no file, cannot be read, or has more than `most` bytes.
    """
    try:
        _refuse_unfit(path.stat(), most)  # before it is opened: a device may act on that
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            _refuse_unfit(os.fstat(descriptor), most)
            content = file.read(most + 1)  # some files say that they have no bytes
    except FileNotFoundError:
        raise MissingFileError(ABSENT) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnfitFileError(f"cannot be read: {reason}") from None
    if len(content) > most:
        raise UnfitFileError(f"expected {most:,} bytes or less")
    return content


def _refuse_unfit(found: os.stat_result, most: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise UnfitFileError("expected a file", "a folder")
    if not stat.S_ISREG(found.st_mode):
        raise UnfitFileError("expected a file", "a device or a pipe")
    if found.st_size > most:
        raise UnfitFileError(f"expected {most:,} bytes or less")


class _BoundedComposer(Composer):
    """Stops before a document is larger in memory than a person would write."""

    check_event: Callable[..., bool]  # the parser's

    _count = _depth = 0
    _sizes: dict[int, int]

    def compose_node(self, parent: Any, index: Any) -> Any:
        alias = self.check_event(yaml.AliasEvent)
        before = self._count
        self._depth += 1
        if self._depth > _DEEPEST:
            raise UnfitFileError("nested too deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        # What is not complete yet is an alias of what it is in: of no size, and refused later.
        self._count += self._sizes.get(id(node), 1) if alias else 1
        if self._count > MOST_NODES:
            raise UnfitFileError(f"expected {MOST_NODES:,} values or less, aliases written out")
        if not alias:
            self._sizes[id(node)] = self._count - before
            if isinstance(node, yaml.ScalarNode) and node.tag not in _TEXT_TAGS:
                self._refuse_long(node.value)
        return node

    @staticmethod
    def _refuse_long(value: str) -> None:
        if len(value) > _LONGEST_SCALAR:
            raise UnfitFileError(f"not readable as YAML: a number of {len(value):,} characters")


class _BoundedLoader(_BoundedComposer, yaml.SafeLoader):
    """PyYAML's own parser: its errors show the place in the text."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._sizes = {}


if yaml.__with_libyaml__:

    class _FastLoader(_BoundedComposer, yaml.CSafeLoader):
        """libyaml's parser, ten times as fast: events from there, nodes as of the other."""

        def __init__(self, stream: str) -> None:
            yaml.CSafeLoader.__init__(self, stream)
            Composer.__init__(self)
            self._sizes = {}


def parse_yaml(content: bytes) -> Any:
    """Read one YAML document.

    Raises
    ------
    UnfitFileError
        When it is no UTF-8, no YAML, nested too deep, or too large with its aliases written out.
    """
    if len(content) > _REMEMBERED_BYTES:
        return _parse(content)
    # Each caller has a document of its own.
    return pickle.loads(_parsed(content))  # noqa: S301 - what is read was written in this process


@lru_cache(maxsize=1024)
def _parsed(content: bytes) -> bytes:
    """Parse a text once: stages, and stacks, have the same sources; the parser is slow."""
    return pickle.dumps(_parse(content))


def _parse(content: bytes) -> Any:
    try:
        return _loaded(content.decode())
    except UnfitFileError:
        raise
    except RecursionError:
        raise UnfitFileError("nested too deep") from None
    except Exception as error:  # noqa: BLE001 - PyYAML's constructors raise what Python's types do
        raise UnfitFileError(f"not readable as YAML: {error}") from None


def _loaded(text: str) -> Any:
    # libyaml compares each tag directive with all before it: a megabyte of them takes 17 seconds.
    if yaml.__with_libyaml__ and "%TAG" not in text:
        # What it does not take, the other one explains; or takes.
        with suppress(yaml.YAMLError):
            return yaml.load(text, _FastLoader)  # noqa: S506 - a safe loader
    return yaml.load(text, _BoundedLoader)  # noqa: S506 - a safe loader
