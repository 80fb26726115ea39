"""The metrics that the alarms and dashboards of a template name."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SEARCH = re.compile(r"SEARCH\('\{\"([^\"]+)\"((?:,\w+)*)\} (.*)', '(\w+)', (\d+)\)")
TERM = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Named:
    """A metric as an alarm or a dashboard names it; `values` is of the dimensions that are set."""

    namespace: str
    name: str
    dimensions: frozenset[str]
    values: tuple[tuple[str, str], ...]


def in_alarms(document: dict[str, Any]) -> set[Named]:
    found = set()
    for alarm in of_type(document, "AWS::CloudWatch::Alarm"):
        for query in alarm["Metrics"]:
            if "MetricStat" not in query:
                continue
            metric = query["MetricStat"]["Metric"]
            pairs = {each["Name"]: text(each["Value"]) for each in metric.get("Dimensions", [])}
            found.add(_named(metric["Namespace"], metric["MetricName"], pairs))
    return found


def in_dashboards(document: dict[str, Any]) -> set[Named]:
    found = set()
    for body in dashboards(document).values():
        for widget in body["widgets"]:
            for line in widget["properties"].get("metrics", []):
                found.add(_of_line(line))
    return found


def dashboards(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each dashboard's body by the dashboard's name."""
    return {
        properties["DashboardName"]: json.loads(text(properties["DashboardBody"]))
        for properties in of_type(document, "AWS::CloudWatch::Dashboard")
    }


def of_type(document: dict[str, Any], resource_type: str) -> Iterator[dict[str, Any]]:
    for resource in document["Resources"].values():
        if resource["Type"] == resource_type:
            yield resource["Properties"]


def text(value: Any) -> str:
    """What a template's value is, with references in angle brackets."""
    match value:
        case str():
            return value
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": ["", parts]}:
            return "".join(text(part) for part in parts)
    raise AssertionError(value)


def _of_line(line: list[Any]) -> Named:
    if isinstance(line[0], str):
        namespace, name, *rest = [part for part in line if isinstance(part, str)]
        return _named(namespace, name, dict(zip(rest[::2], rest[1::2], strict=True)))
    match = SEARCH.fullmatch(line[0]["expression"])
    assert match, line
    namespace, names, terms, _, _ = match.groups()
    values = dict(TERM.findall(terms))
    name = values.pop("MetricName")
    dimensions = frozenset(names.split(",")[1:])
    assert set(values) <= dimensions, line
    return Named(namespace, name, dimensions, tuple(sorted(values.items())))


def _named(namespace: str, name: str, pairs: dict[str, str]) -> Named:
    return Named(namespace, name, frozenset(pairs), tuple(sorted(pairs.items())))
