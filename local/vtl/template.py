"""One mapping template, compiled once and rendered often."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local.vtl.blocks import compile_text
from local.vtl.scanner import Scanner
from local.vtl.values import VtlError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.vtl.scanner import ReferenceUse

_LONE_END = re.compile(r"\$\Z|(?<![#*\]])#\Z")
#: API Gateway takes no mapping template that is larger.
MAX_TEMPLATE_BYTES = 300 * 1024


class VtlTemplate:
    """A compiled mapping template: `uses` has its references, `given` the names that it sets.

    Raises
    ------
    VtlError
        For what the engine cannot run, at once and not at the first request.
    """

    __slots__ = ("_render", "given", "name", "source", "uses")

    def __init__(self, source: str, name: str) -> None:
        self.name = f"template {name}"
        self.source = source
        if len(source.encode()) > MAX_TEMPLATE_BYTES:
            raise VtlError(f"{self.name}: larger than {MAX_TEMPLATE_BYTES} bytes")
        if _LONE_END.search(source):
            raise VtlError(f"{self.name}: a lone $ or # at the end does not parse")
        scanner = Scanner(source, self.name, compile_text)
        self._render = compile_text(scanner)
        self.uses: tuple[ReferenceUse, ...] = tuple(scanner.uses)
        self.given = frozenset(scanner.given)

    def render(self, variables: Mapping[str, Any]) -> str:
        """Render with these variables, which the template's own #set leave untouched.

        Raises
        ------
        VtlError
            When the template fails.
        """
        out: list[str] = []
        self._render(dict(variables), out)
        return "".join(out)
