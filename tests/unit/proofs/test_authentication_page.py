"""The examples of the page about authentication are settings that load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.source.model import Source

PAGE = Path(__file__).parents[3] / "docs" / "source-authentication.md"
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_loads(text: str) -> None:
    settings: dict[str, Any] = yaml.safe_load(text)
    how = settings["authentication"]
    time = how.get("timestamp", {}).get("header")
    kept = [name for name in (how.get("header"), time) if name and name != "Authorization"]
    document = {"version": 1, "title": "example", "headers": {"keep": kept}, **settings}
    assert Source.model_validate(document).proof == how["type"]


def test_each_kind_has_an_example() -> None:
    kinds = {yaml.safe_load(text)["authentication"]["type"] for text in EXAMPLES}
    assert kinds == {"public_key", "jwt", "sns", "body_token"}
