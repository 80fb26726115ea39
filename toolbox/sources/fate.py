"""What MozDef does with each type of a source, by the model of its plugins."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import path_of
from toolbox.mozdef.plugins import github_mapping
from toolbox.mozdef.worker import handled

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource

#: In the place of a type that the source does not name.
OTHER = "every other type"


@dataclass(frozen=True)
class TypeFate:
    """One type, the schema that it must satisfy, and what MozDef does with it."""

    type: str
    schema: str
    mozdef: str

    def document(self) -> dict[str, str]:
        """Return it for a program to read."""
        return asdict(self)


def fates(source: LoadedSource) -> list[TypeFate]:
    """Return the types that a source names, and then all others."""
    settings = source.settings
    plugin = settings.mozdef.plugin
    named = {*settings.schemas.types, *settings.ignore_types, *(plugin.types if plugin else ())}
    rows = [TypeFate(kind, _schema(source, kind), _fate(source, kind)) for kind in sorted(named)]
    return [*rows, TypeFate(OTHER, _schema(source, None), _fate(source, None))]


def _schema(source: LoadedSource, kind: str | None) -> str:
    schemas = source.settings.schemas
    if kind is None and schemas.unknown_types == "reject":
        return "rejected"
    return str(schemas.types.get(kind or "", schemas.default) or "any object")


def _fate(source: LoadedSource, kind: str | None) -> str:
    settings, mozdef = source.settings, source.mozdef
    if kind is None and settings.schemas.unknown_types == "reject":
        return "never sees it"
    if kind is not None and kind in settings.ignore_types:
        return "never sees it: it is ignored"
    for_plugin = mozdef.plugin if mozdef.plugin and kind in mozdef.plugin.types else None
    shape = for_plugin.details if for_plugin else mozdef.details
    found = handled(
        {
            "hostname": mozdef.hostname,
            "tags": list(for_plugin.tags if for_plugin else mozdef.tags or ()),
            "timestamp": "2026-11-23T20:00:01+00:00",
            "details": _details(source, kind or "", shape),
        }
    )
    if found.document is None:
        return f"discards it: {found.why}"
    if not found.rewritten_by:
        return f"a document of its own, {_place(source, shape)}"
    time = "its time is that of MozDef's reading"
    if found.rewritten_by == "github_webhooks" and "commit_ts" in github_mapping().get(
        kind or "", ()
    ):
        time = "its time is that of the head commit"
    return f"its plugin {found.rewritten_by} keeps parts, without severity; {time}"


def _details(source: LoadedSource, kind: str, shape: str | dict[str, str]) -> dict[str, Any]:
    if isinstance(shape, dict):
        return {key: kind if what == "$type" else {} for key, what in shape.items()}
    body: dict[str, Any] = {}
    locator = source.settings.event_type
    if locator is not None and locator.path is not None:
        for part in reversed(path_of(locator.path)):
            body = {part: body or kind}
    return body if source.mozdef.body == "top" else {source.name: body}


def _place(source: LoadedSource, shape: str | dict[str, str]) -> str:
    if isinstance(shape, dict):
        return f"with details.{', details.'.join(sorted(shape))}"
    return "in details itself" if source.mozdef.body == "top" else f"below details.{source.name}"
