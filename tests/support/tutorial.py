"""Reads a page of the documentation as a list of things to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FENCE = re.compile(
    r"(?:<!-- replaces: (?P<keys>[a-z_, ]+) -->\n)?"
    r"(?P<indent> *)```(?P<kind>\w+)(?P<runtime> runtime)?\n(?P<text>.*?)\n *```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Parameters
    ----------
    kind : str
        `sh`, `console` or `yaml`.
    text : str
        Its lines, without the indent.
    runtime : bool
        Whether it needs a running pipeline, or a deployed one.
    replaces : tuple[str, ...]
        The keys of `source.yaml` in whose place it is written.
    """

    kind: str
    text: str
    runtime: bool
    replaces: tuple[str, ...]

    def commands(self) -> Iterator[tuple[str, str]]:
        """Return each command of a `console` block, with the output that the page shows."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def read_blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in their order."""
    blocks = []
    for found in _FENCE.finditer(page.read_text(encoding="utf-8")):
        indent = len(found["indent"])
        text = "\n".join(line[indent:] for line in found["text"].splitlines())
        keys = tuple(key.strip() for key in (found["keys"] or "").split(",") if key.strip())
        blocks.append(Block(found["kind"], text, bool(found["runtime"]), keys))
    return blocks
