"""What the CDK, its rules and cdk-nag say of a synthesis: a warning ends it as an error does.

What is accepted on purpose is named with its reason where it is: `infra.application.checks`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPORT = "validation-report.json"
"""aws-cdk-lib, cx-api: where it writes all of it. Annotations are in it by a flag of cdk.json."""


class FindingsError(PipelineError):
    """The CDK warns of something, or a rule is broken; a line each."""


def check(assembly: Path) -> None:
    """See that nothing was found.

    Parameters
    ----------
    assembly : Path
        The folder that was just written, with the report of this synthesis and no other.

    Raises
    ------
    FindingsError
        With every finding; and when there is no report, because nobody looked then.
    """
    try:
        report = json.loads((assembly / REPORT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FindingsError(f"{assembly}: the CDK wrote no {REPORT}: nothing was checked") from None
    if lines := [line for plugin in report["pluginReports"] for line in _lines(plugin)]:
        raise FindingsError("\n".join(lines))


def _lines(plugin: dict[str, Any]) -> Iterator[str]:
    told = [one for one in plugin.get("violations", []) if one["severity"] != "info"]
    for one in told:
        what = f"{one['severity']} {one['ruleName']}: {one['description']}"
        yield from (f"{place}: {what}" for place in _places(one))
    if plugin["conclusion"] != "success" and not told:
        yield f"{plugin['pluginName']}: {plugin.get('metadata', {}).get('error', 'failed')}"


def _places(violation: dict[str, Any]) -> list[str]:
    places = [one["constructPath"] or "the app" for one in violation["violatingConstructs"]]
    return places or ["the app"]
