"""`mozdef-ef source show`: how a source is set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolbox.cli.source_options import Json, SourceName, SourcesOption, load_one
from toolbox.project.finding import find_project
from toolbox.terminal.output import console, print_json, print_table

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource


def show(
    name: SourceName,
    *,
    sources: SourcesOption = None,
    as_json: Json = False,
) -> None:
    """Explain a source's settings: route, proof, identity, schemas, mapping, secret, sender."""
    from toolbox.sources.fate import fates
    from toolbox.sources.told import explained, listed_source

    source = load_one(name, sources)
    document = {**listed_source(source), **explained(source, _parameter(source))}
    types = fates(source)
    if as_json:
        print_json(document | {"types": [one.document() for one in types]})
        return
    for key, value in document.items():
        if value == "":
            continue
        values = value if isinstance(value, list) else [value]
        for number, one in enumerate(values):
            label = key.replace("_", " ") if number == 0 else ""
            console.print(f"{label:<16} {one}")
    rows = [(one.type, one.schema, one.mozdef) for one in types]
    print_table("types", ("type", "schema", "what MozDef does with it"), rows)


def _parameter(source: LoadedSource) -> str:
    if not source.settings.parameter:
        return "none"
    project = find_project()
    if not project.stage_file.is_file():
        return f"/<project>/{source.name}/{project.stage}/{source.settings.parameter}"
    return project.deployment().parameter(source.name, source.settings.parameter)
