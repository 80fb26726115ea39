"""What no template may have: it would run, or be refused by the policy of the console's answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CONSOLE = Path(__file__).parents[3] / "toolbox" / "console"
TEMPLATES = sorted(CONSOLE.rglob("*.html"))
#: What makes an address of the console.
ADDRESSES = "|".join(
    (
        r"asset\(",
        r"path\(",
        r"(?:(?:page\.)?address|twin|page\.link\(one\)|page\.more|page\.proof_address) \}\}",
    )
)
FORBIDDEN = {
    "what is not escaped": r"\|\s*safe\b|autoescape|Markup",
    "a script in the page": r"<script(?![^>]*\ssrc=\")|<script[^>]*>[^<]",
    "a style in the page": r"<style|\sstyle=",
    "a handler in an attribute": r"\son[a-z]+=|\shx-on|hx-vals=.js:|javascript:",
    "an attribute without quotes": r"<[a-z][^>{]*\s[a-z-]+=\{\{",
    "an address elsewhere": r"(?:src|href|action|hx-get|hx-post)=\"(?:https?:)?//",
    "a link to what a sender wrote": rf"(?:src|href|action)=\"\{{\{{(?!\s*(?:{ADDRESSES}))",
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_nothing_that_runs(path: Path) -> None:
    text = path.read_text()
    for what, pattern in FORBIDDEN.items():
        found = re.search(pattern, text)
        assert found is None, f"{path.name}: {what}: {found}"


def test_there_are_templates() -> None:
    assert {"base.html", "now.html"} <= {path.name for path in TEMPLATES}
