"""The archive's form is spelled in one module, and in no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
KEYS = ROOT / "pipeline" / "archive" / "keys.py"
#: The oracles share nothing with what they judge, nor does an attacker with what he attacks.
#: The laptop runtime, which imitates Lambda's own keys, is left out too.
OTHERS = {ROOT / "loadtests" / name for name in ("soak", "million", "attack")}
#: `/aws/lambda/`, with a slash before it, is where Lambda's log groups are.
FORM = re.compile(
    r"^(raw|rejected|quarantine|ledger|jobs)/|(?<!^/)aws/lambda/$|(^|/)(source|dt|hr)=|\.jsonl\.gz"
)


def texts(path: Path) -> Iterator[str]:
    """The texts of a module, its docstrings left out."""
    tree = ast.parse(path.read_text())
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


@pytest.mark.parametrize(
    "package", ["infra", "ingest_lambdas", "loadtests", "pipeline", "stream_processors", "toolbox"]
)
def test_no_other_module_spells_prefixes_partitions_or_names(package: str) -> None:
    for path in sorted((ROOT / package).rglob("*.py")):
        if path != KEYS and not OTHERS & {*path.parents}:
            spelled = [text for text in texts(path) if FORM.search(text)]
            assert not spelled, path


def test_the_one_module_spells_them() -> None:
    assert {"raw/", "rejected/", "quarantine/", "ledger/", "aws/lambda/"} <= set(texts(KEYS))
