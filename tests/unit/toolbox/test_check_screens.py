"""What `source check` shows: what does not fit first, and never more than a screen unasked."""

from __future__ import annotations

import pytest

from tests.support.terminal import ROWS, fits, is_golden, shown
from toolbox.cli.source_check import of_type, print_checked
from toolbox.sources.checking import CheckedSample
from toolbox.terminal.nearest import NotFoundError


def of(number: int, *, wrong: int = 0, source: str = "watch") -> list[CheckedSample]:
    fine = [
        CheckedSample(source, f"push-{one}", "delivered", "delivered", types=("push",))
        for one in range(number)
    ]
    why = ("expected delivered, is schema_violation: body.check must be object (rule 'type')",)
    return fine + [
        CheckedSample(source, f"ping-{one}", "delivered", "schema_violation", why, types=("ping",))
        for one in range(wrong)
    ]


def test_a_few_are_a_table_without_columns_that_say_nothing() -> None:
    told = shown(lambda: print_checked(of(6)))
    fits(told)
    is_golden("source-check", told)


def test_what_does_not_fit_comes_first_and_the_rest_is_counted() -> None:
    told = shown(lambda: print_checked([*of(200, wrong=2), *of(3, source="other")]))
    fits(told)
    is_golden("source-check-misfits", told)
    assert len(told.splitlines()) <= ROWS


def test_many_that_fit_are_one_line_unless_they_are_asked_for() -> None:
    assert shown(lambda: print_checked(of(200))) == (
        "200 samples, all fit: delivered 200 (--all lists them)\n"
    )
    assert shown(lambda: print_checked(of(200), every=True)).count("push-") == 200


def test_a_type_chooses_and_one_that_no_sample_has_names_the_nearest() -> None:
    checked = of(2, wrong=1)
    assert [one.sample for one in of_type(checked, "ping")] == ["ping-0"]
    with pytest.raises(NotFoundError, match="psh: no such type of a sample; did you mean push"):
        of_type(checked, "psh")
