"""The summary: no word that leads to nothing, no character that hides or turns a line round."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from pipeline.event.printable import one_line
from pipeline.event.summary import SummaryTemplate, placeholders, template_fault

OKTA = "Okta {type}: {message} {result}{? by {actor|user}}{? from {ip}}{? to {target.0.id}}"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (
            {"message": "Sign in", "result": "DENY", "actor": "mona", "ip": "192.0.2.1"},
            "Okta t: Sign in DENY by mona from 192.0.2.1",
        ),
        ({"user": "hubot", "target": [{"id": "g"}]}, "Okta t: by hubot to g"),
        ({"actor": "", "user": None, "ip": {}, "target": []}, "Okta t"),
        ({"actor": " \n ", "ip": "\u200b"}, "Okta t: from \\u200b"),
    ],
)
def test_a_part_is_left_out_with_its_words(body: dict[str, Any], line: str) -> None:
    assert SummaryTemplate(OKTA).render("okta", "t", body) == line


@pytest.mark.parametrize(
    ("template", "body", "line"),
    [
        ("{source} {type}: {message}", {}, "s t"),
        ("{source}: {a} - {b} - {c}", {"a": 1, "c": 3}, "s: 1 - 3"),
        ("{source}: {a} - {b} - {c}", {"b": 2}, "s: 2"),
        ("{source}: {a}, {b}, {c}", {"a": 1}, "s: 1"),
        ("{a}: {b}", {"b": 2}, "2"),
        ("{a}: {b}", {"a": "who?:"}, "who?:"),
        ("{a}{? ({b})}{? [{c}]}", {"a": 1, "c": 3}, "1 [3]"),
        ("{a} took {b} {c} along", {"a": 1}, "1 took along"),
        ("{a|b|c.0}", {"b": "", "c": [False]}, "false"),
        ("{a}", {}, "s t"),
        ("{source} {$keys}", {"at": 1, "type": "x", "level": 2}, "s at, level"),
        ("{source} {b}{?: {a}}{?, {c}}", {"a": 1}, "s: 1"),
        ("{source} {b}{?: {a}}{?, {c}}", {"b": 2, "c": 3}, "s 2, 3"),
        ("{source} {$keys}", {}, "s"),
    ],
)
def test_what_joins_a_missing_part_goes_with_it(
    template: str, body: dict[str, Any], line: str
) -> None:
    assert SummaryTemplate(template).render("s", "t", body) == line


def test_a_field_of_details_stands_in_a_summary_by_its_name() -> None:
    template = SummaryTemplate("{source}{?: {$success|ok}}{? by {$username}}{? from {$ip}}")
    assert template.render("s", "t", {"ok": 1}, {"success": False}) == "s: false"
    assert template.render("s", "t", {"ok": 1}, {"username": "mona"}) == "s: 1 by mona"
    assert "none of the names" in str(template_fault("{$username}", {"success"}))
    assert template_fault("{$username} {$keys}", {"username"}) is None


def test_a_type_that_is_missing_leaves_no_gap_before_its_colon() -> None:
    assert SummaryTemplate("{source} {type}: {a}").render("s", "", {"a": "x : y"}) == "s: x : y"
    assert SummaryTemplate("{source} {type}").render("s", "", {}) == "s"
    assert SummaryTemplate("{source} {type}").render("s", "", {"type": "alarm"}) == "s alarm"


def test_a_hostile_value_is_short_and_of_one_line() -> None:
    text = SummaryTemplate("{a}").render("s", "t", {"a": "x\n" * 1000})
    assert len(text) <= 200
    assert "\n" not in text


def test_no_character_of_a_summary_hides_or_turns_it_round() -> None:
    """Each of Unicode's controls, formats, surrogates and spaces, in a value and in the type."""
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}
    every = [chr(n) for n in range(0x110000) if unicodedata.category(chr(n)) in hidden]
    for start in range(0, len(every), 15):
        some = "a".join(every[start : start + 15])
        line = SummaryTemplate("{type} {a}").render("s", some, {"a": some})
        odd = {one for one in line if unicodedata.category(one) in hidden}
        assert odd <= set(" \u200c\u200d"), [hex(ord(one)) for one in odd]
        assert len(line) > 15


def test_what_hides_is_seen_and_not_taken_out() -> None:
    assert one_line("ad\u202emin\x00\u2066", 200) == "ad\\u202emin\\x00\\u2066"
    assert one_line("\ud800 a\u00a0\u2028b\t", 200) == "\\ud800 a b"
    assert one_line("x" * 199 + "\u202e", 200) == "x" * 199  # an escape is never cut in two
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert one_line(family, 200) == family


def test_a_template_that_says_nothing_of_what_it_leaves_out_is_refused() -> None:
    assert template_fault(OKTA) is None
    assert "no placeholder" in str(template_fault("{a} {? by nobody}"))
    assert "not closed" in str(template_fault("{a} {? by {b}"))
    assert "not closed" in str(template_fault("{? by {b}{? from {c}}}"))
    assert placeholders("{a|b.c}{? by {d}}") == [("a", "b.c"), ("d",)]
