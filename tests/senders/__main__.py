"""Prints the table of senders: `python -m tests.senders [--json]`."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.senders.playing import Row, play_table
from tests.senders.table import read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTHS = (18, 11, 7, 27, 3, 3, 3)
_HEAD = ("sender", "family", "folder", "signed by", "ok", "key", "bit")


def line(row: Row) -> str:
    """Return a row in 80 columns; why it is not expressible, or does not hold, comes below it."""
    if row.sender.reason:
        return "\n".join([_cells((row.sender.id, "-", "none")), _folded(row.sender.reason)])
    place = "catalog" if row.sender.catalog else "tests"
    marks = (_mark(row.accepted), _mark(row.wrong_secret), _mark(row.changed_bit))
    family, signer = row.sender.family or "", row.signed_by.removeprefix("library ")
    cells = _cells((row.sender.id, family, place, _short(signer), *marks))
    return "\n".join([cells, *map(_folded, row.faults)])


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Count the rows: how many there are, are expressible, hold, and who signed them."""
    signers = Counter(row.signer for row in rows if row.signer)
    return {
        "senders": len(rows),
        "expressible": sum(not row.sender.reason for row in rows),
        "broken": sum(bool(row.faults) for row in rows),
        **{f"signed_by_{name}": number for name, number in sorted(signers.items())},
    }


def document(row: Row) -> dict[str, Any]:
    """Return a row for a program to read."""
    return {
        **row.sender.model_dump(),
        "signed_by": row.signed_by,
        "accepted": row.accepted,
        "wrong_secret_refused": row.wrong_secret,
        "changed_bit_refused": row.changed_bit,
        "faults": list(row.faults),
    }


def _folded(text: str) -> str:
    return textwrap.fill(text, 80, initial_indent="    ", subsequent_indent="    ")


def _cells(cells: Sequence[str]) -> str:
    return " ".join(
        f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=False)
    ).rstrip()


def _mark(held: bool | None) -> str:
    return "-" if held is None else "yes" if held else "NO"


def _short(text: str) -> str:
    """Return who signed in its column: of an address the host."""
    words = text.split()
    if words[:1] == ["documentation"]:
        return words[1].removeprefix("https://").partition("/")[0][: _WIDTHS[3]]
    return text[: _WIDTHS[3]]


def main() -> int:
    """Print the table, and return 1 where a row does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.senders", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the table for a program")
    as_json = parser.parse_args().json
    rows = play_table(read_table())
    if as_json:
        found = {"counts": counts(rows), "senders": [document(row) for row in rows]}
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        print(_cells(_HEAD))
        print("\n".join(line(row) for row in rows))
        sums = (f"{number} {name.replace('_', ' ')}" for name, number in counts(rows).items())
        print(textwrap.fill(", ".join(sums), 80))
    return int(any(row.faults for row in rows))


if __name__ == "__main__":
    sys.exit(main())
