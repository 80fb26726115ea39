"""Tables: drawn where they fit, blocks where they do not, tab-separated where nobody looks."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from tests.support.terminal import fits, is_golden, shown
from toolbox.terminal.output import print_screen, print_table
from toolbox.terminal.tables import FittingTable, styled

COLUMNS = ("id", "source", "events", "first explanation")
ROWS = [
    ("1f2e3d4c5b6a", "github", 12_345, "body must have a field 'action' of one of 12 values"),
    ("a1b2c3d4e5f6", "okta", 1, ""),
]
ADDRESS = "arn:aws:codeconnections:us-west-2:111111111111:connection/00000000-1111-2222-3333"


def test_a_table_that_fits_is_drawn() -> None:
    text = shown(lambda: print_table("2 tickets", COLUMNS, ROWS))
    fits(text)
    assert "│ 12,345 │" in text
    is_golden("table", text)


def test_a_text_is_folded_between_words_and_no_word_is_cut() -> None:
    text = shown(lambda: print_table("2 tickets", COLUMNS, ROWS), columns=64)
    fits(text, 64)
    assert all(word in text for word in ("1f2e3d4c5b6a", "explanation", "'action'", "values"))


def test_a_table_that_does_not_fit_is_a_block_for_each_row() -> None:
    rows = [(*row, ADDRESS) for row in ROWS]
    text = shown(lambda: print_table("2 tickets", (*COLUMNS, "where"), rows))
    fits(text)
    assert "id:                1f2e3d4c5b6a\n" in text
    assert "first explanation:" not in text.partition("a1b2c3d4e5f6")[2], "an empty cell is no line"
    is_golden("blocks", text)


def test_a_title_is_a_line_also_where_it_is_wider_than_its_table() -> None:
    title = "1 request in 0.2 s, median answer 30 ms"
    text = shown(lambda: print_table(title, ("status", "n"), [("200", 1)]))
    assert text.splitlines()[0] == title


def test_a_table_without_rows_is_its_title() -> None:
    assert shown(lambda: print_table("0 tickets", COLUMNS, [])) == "0 tickets\n"


def test_without_a_terminal_rows_are_for_programs() -> None:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        print_table("2 tickets", COLUMNS, [(*ROWS[0][:3], "a\tb\nc"), ROWS[1]])
    assert out.getvalue() == (
        "id\tsource\tevents\tfirst explanation\n"
        "1f2e3d4c5b6a\tgithub\t12345\ta\\tb\\nc\n"
        "a1b2c3d4e5f6\tokta\t1\t\n"
    )
    assert err.getvalue() == "2 tickets\n"


@pytest.mark.parametrize(("high", "paged"), [(10, False), (30, True)])
def test_what_is_higher_than_the_terminal_is_shown_by_pages(
    high: int, monkeypatch: pytest.MonkeyPatch, *, paged: bool
) -> None:
    pages: list[str] = []
    monkeypatch.setattr("pydoc.pager", lambda text, *_: pages.append(text))
    monkeypatch.setattr(sys, "stdin", _Keyboard())
    monkeypatch.setenv("LESS", "X")
    table = FittingTable("rows", ("n",), [(number,) for number in range(high)])
    text = shown(lambda: print_screen([styled("first"), table], paged=True))
    assert (len(pages), "first" in text) == ((1, False) if paged else (0, True))


class _Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True
