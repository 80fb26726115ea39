"""A body as text, as a tree and in hex, each of it bounded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

#: Of a body, so much is shown as text and as a tree; the page would be of no use with more.
MOST_BYTES = 256 * 1024
#: Of all requests that one page shows, as text.
MOST_BYTES_OF_PAGE = 2**20
MOST_HEX_BYTES = 4_096
MOST_NODES = 2_000
MOST_DEPTH = 40


class TreeNode(NamedTuple):
    """A value of a JSON document.

    Parameters
    ----------
    text : str
        A scalar as JSON; of an object or list what it is, and how many members it has.
    marked : bool
        Whether it is the place that breaks the schema; `open` where that lies below.
    """

    name: str
    text: str
    children: tuple[TreeNode, ...]
    marked: bool
    open: bool


@dataclass(frozen=True)
class BodyView:
    r"""A body as it is shown.

    Parameters
    ----------
    text : str
        What is no UTF-8 is written as `\xff`.
    tree : TreeNode | None
        None where it is no JSON, or too long.
    hex : str
        The first bytes.
    shown : int
        How many of its bytes are in the text.
    nodes_cut : bool
        Whether the tree leaves something out.
    """

    size: int
    text: str
    tree: TreeNode | None
    hex: str
    shown: int
    nodes_cut: bool = False

    @property
    def cut(self) -> bool:
        """Whether there is more than is shown."""
        return self.shown < self.size


class _Budget:
    def __init__(self) -> None:
        self.left = MOST_NODES


def view_of(body: bytes, mark: tuple[str, ...] | None = None, most: int = MOST_BYTES) -> BodyView:
    """Return a body for a page.

    Parameters
    ----------
    mark : tuple[str, ...] | None
        The place that is marked, as names and indices from the top; None for none.
    most : int
        Bytes that are shown as text; of what is longer there is no tree.
    """
    shown = min(len(body), most)
    text = body[:shown].decode(errors="backslashreplace")
    tree, budget = None, _Budget()
    if shown == len(body):
        try:
            tree = _node("", json.loads(body), mark, 0, budget)
        except (ValueError, RecursionError):
            tree = None
    return BodyView(len(body), text, tree, _hex(body[:MOST_HEX_BYTES]), shown, budget.left <= 0)


def _node(
    name: str, value: Any, mark: tuple[str, ...] | None, depth: int, budget: _Budget
) -> TreeNode:
    budget.left -= 1
    here = mark is not None and not mark
    if not isinstance(value, dict | list):
        return TreeNode(name, json.dumps(value, ensure_ascii=False), (), here, open=False)
    members = value.items() if isinstance(value, dict) else enumerate(value)
    word = "members" if isinstance(value, dict) else "elements"
    children = []
    for key, member in members:
        if budget.left <= 0 or depth >= MOST_DEPTH:
            budget.left = 0
            break
        below = mark[1:] if mark and mark[0] == str(key) else None
        children.append(_node(str(key), member, below, depth + 1, budget))
    return TreeNode(
        name, f"{len(value):,} {word}", tuple(children), here, depth < 1 or mark is not None
    )


def _hex(content: bytes) -> str:
    lines = []
    for start in range(0, len(content), 16):
        row = content[start : start + 16]
        shown = "".join(chr(one) if 32 <= one < 127 else "." for one in row)
        lines.append(f"{start:06x}  {row.hex(' '):<47}  {shown}")
    return "\n".join(lines)
