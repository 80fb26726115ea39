"""The engine against Apache Velocity 1.7, whose output for each template was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.vtl import VtlError, VtlTemplate

RECORDED = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def variables() -> dict[str, Any]:
    """What the recording had in its context."""
    return {
        "m": {"a": "1", "e": ""},
        "s": "it",
        "h": "a'b\"c",
        "l": [1, 2],
        "t": True,
        "f": False,
        "n": 7,
        "d": 1.5,
        "hdr": {"X-GitHub-Event": "push", "x-hub": "y"},
        "u": "h\u00e9\U0001f600x",
    }


@pytest.mark.parametrize(("template", "expected"), RECORDED["equal"])
def test_renders_as_velocity(template: str, expected: str) -> None:
    assert VtlTemplate(template, "test").render(variables()) == expected


@pytest.mark.parametrize(("template", "expected"), RECORDED["nothing_for_null"])
def test_a_null_prints_nothing_and_equals_the_empty_text(template: str, expected: str) -> None:
    """Velocity writes it as it stands; of API Gateway these two are recorded.

    LocalStack's recordings of AWS, test_apigateway_common, test_input_path_template_formatting: of
    a path that finds nothing, `$result` and `$result.nested` print nothing, and it equals `$null`
    and `""`.
    """
    assert VtlTemplate(template, "test").render(variables()) == expected


@pytest.mark.parametrize("template", RECORDED["refused"])
def test_is_refused_where_velocity_fails_or_hides_a_mistake(template: str) -> None:
    with pytest.raises(VtlError, match="template test"):
        VtlTemplate(template, "test").render(variables())


@pytest.mark.parametrize("template", RECORDED["unsupported"])
def test_what_no_deployed_template_uses_is_refused_and_not_rendered_otherwise(
    template: str,
) -> None:
    """Velocity renders these; silence or another text would hide that AWS does something else."""
    with pytest.raises(VtlError, match="template test"):
        VtlTemplate(template, "test").render(variables())
