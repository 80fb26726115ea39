"""Reads a template's text from left to right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from local.vtl.values import VtlError

if TYPE_CHECKING:
    import re
    from collections.abc import Callable


class ReferenceUse(NamedTuple):
    """A reference as a template writes it.

    Parameters
    ----------
    members : tuple[tuple[str, bool], ...]
        What is asked of it, one after the other, and whether it is called.
    """

    name: str
    members: tuple[tuple[str, bool], ...]
    where: str


class Scanner:
    """A position in a text, with the errors that name it.

    Parameters
    ----------
    compile_text : Callable[[Scanner], Callable[[Any, list[str]], Any]]
        Compiles a text in a string: expressions hold blocks, and blocks hold expressions.
    first_line : int
        The line in the template at which the text starts.
    outer : Scanner | None
        That of the template, where the text is a string in it: it keeps the references and the
        names that #set and #foreach give.
    """

    __slots__ = ("compile_text", "first_line", "given", "name", "position", "text", "uses")

    def __init__(
        self,
        text: str,
        name: str,
        compile_text: Callable[[Scanner], Callable[[Any, list[str]], Any]],
        first_line: int = 1,
        outer: Scanner | None = None,
    ) -> None:
        self.uses: list[ReferenceUse] = outer.uses if outer else []
        self.given: set[str] = outer.given if outer else set()
        self.text = text
        self.compile_text = compile_text
        self.name = name
        self.position = 0
        self.first_line = first_line

    @property
    def line(self) -> int:
        """The line of the template that the position is in."""
        return self.first_line + self.text.count("\n", 0, self.position)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Move over a pattern if it is next."""
        found = pattern.match(self.text, self.position)
        if found:
            self.position = found.end()
        return found

    def expect(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """Move over a pattern.

        Raises
        ------
        VtlError
            When something else is next.
        """
        found = self.take(pattern)
        if not found:
            raise self.error(f"expected {what}")
        return found

    def at(self, text: str) -> bool:
        """Tell whether this text is next."""
        return self.text.startswith(text, self.position)

    @property
    def done(self) -> bool:
        """Whether everything was read."""
        return self.position >= len(self.text)

    def where(self, start: int | None = None) -> str:
        """Name a place: template, line, and the text from there."""
        begin = self.position if start is None else start
        line = self.first_line + self.text.count("\n", 0, begin)
        return f"{self.name}, line {line}, at {self.text[begin : begin + 40]!r}"

    def error(self, what: str) -> VtlError:
        """Make an error that names the position."""
        return VtlError(f"{self.where()}: {what}")
