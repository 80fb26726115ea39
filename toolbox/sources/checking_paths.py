"""Finds paths of a source's settings that no sample of it has: a typing error is silently empty."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.event.detail_fields import DetailFields
from pipeline.event.fields import find, path_of, path_text
from pipeline.event.json_text import BodyError
from pipeline.event.summary import SummaryTemplate, is_path, leading_words, placeholders
from settings.source.compiler import json_of
from settings.source.detail_fields import TYPE, places_of
from toolbox.sources.inference_values import scalar_paths
from toolbox.sources.samples import load_samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.event.fields import FieldPath
    from settings.source.loader import LoadedSource
    from settings.source.model import Source
    from settings.source.mozdef_mapping import MozdefMapping
    from toolbox.sources.samples import LoadedSample

#: What shows that a path is right: such an event was understood in full.
_UNDERSTOOD = frozenset({"delivered", "ignored"})


@dataclass(frozen=True)
class PathWarning:
    """A setting whose path no sample has.

    Parameters
    ----------
    key : str
        The setting's place in `source.yaml`.
    """

    source: str
    key: str
    text: str


@dataclass(frozen=True)
class _PathSetting:
    """A setting with its paths; where it has several, an event is to have one of them."""

    key: str
    paths: tuple[str, ...]
    scalar: bool = True


def unseen_paths(source: LoadedSource) -> list[PathWarning]:
    """Return the settings of a source whose paths none of its samples has.

    What is optional in an event needs to be in one sample only, and of several paths of which the
    first that is there counts (`mozdef.timestamp`, `delivery_id.where_present`, those of a field)
    one has to be.
    Nothing is said of a source without a sample that is delivered.

    Raises
    ------
    SourceError
        When a sample cannot be read.
    """
    settings = source.settings
    bodies = [
        body
        for sample in load_samples(source)
        if sample.settings.expect.outcome in _UNDERSTOOD
        for body in _body(settings, sample)
    ]
    if not bodies:
        return []
    warnings, events = list(_unwrapped(source.name, settings, bodies)), bodies
    if settings.split is not None:
        events = [one for body in bodies for one in _elements(body, settings.split.path)]
        if not events:
            split = _PathSetting("split.path", (settings.split.path,))
            return [*warnings, _warning(source.name, split, bodies, "a list with an event in it")]
    for setting in _settings(settings):
        if not any(
            _has(event, path_of(path), setting) for path in setting.paths for event in events
        ):
            what = "a text, number or flag" if setting.scalar else "anything"
            warnings.append(_warning(source.name, setting, events, what))
    return warnings + _dangling(source, events)


def _unwrapped(source: str, settings: Source, bodies: Sequence[Any]) -> Iterator[PathWarning]:
    """Find texts that `body.unwrap` names and no sample has: what they hold stays a text."""
    if settings.body is None or settings.body.event is not None:
        return  # of an event that is a part, the path is not seen; a wrong one has it rejected
    for number, one in enumerate(settings.body.unwrap):
        if not any(_reaches(body, path_of(one.path)) for body in bodies):
            setting = _PathSetting(f"body.unwrap.{number}.path", (one.path,))
            yield _warning(source, setting, bodies, "an object or a list")


def _reaches(value: Any, path: FieldPath) -> bool:
    if isinstance(value, list) and path:
        return any(_reaches(one, path) for one in value)
    if not path:
        return isinstance(value, dict | list)
    return isinstance(value, dict) and _reaches(value.get(path[0]), path[1:])


def _dangling(source: LoadedSource, events: Sequence[Any]) -> list[PathWarning]:
    """Find words of the summary that lead to nothing in an event of a sample."""
    mozdef = source.settings.mozdef
    fields = DetailFields(mozdef.field_plan)
    warnings = []
    for word, names in leading_words(mozdef.summary):
        if not all(is_path(name) or name.startswith("$") for name in names):
            continue  # each event has a type, or none has
        template = SummaryTemplate("".join(f"{{{name}}}" for name in names))
        if any(not template.render("", "", one, fields.values("", one)) for one in events):
            placeholder = f"{{{'|'.join(names)}}}"
            text = f"{word!r} leads to nothing where {placeholder} is missing: write "
            text += f"{{? {word} {placeholder}}}"
            warnings.append(PathWarning(source.name, "mozdef.summary", text))
    return warnings


def _settings(settings: Source) -> Iterator[_PathSetting]:
    if settings.event_type is not None and settings.event_type.path is not None:
        yield _PathSetting("event_type.path", (settings.event_type.path,))
    identity = settings.delivery_id
    if identity is not None:
        if identity.path is not None:
            yield _PathSetting("delivery_id.path", (identity.path,))
        for number, path in enumerate(identity.paths):
            yield _PathSetting(f"delivery_id.paths.{number}", (path,))
        if identity.where_present:
            yield _PathSetting("delivery_id.where_present", identity.where_present)
    yield from _settings_of_mozdef(settings.mozdef)


def _settings_of_mozdef(mozdef: MozdefMapping) -> Iterator[_PathSetting]:
    if mozdef.timestamps:
        yield _PathSetting("mozdef.timestamp", mozdef.timestamps)
    for names in dict.fromkeys(placeholders(mozdef.summary)):
        if all(map(is_path, names)):
            yield _PathSetting("mozdef.summary", names)
    yield from _settings_of_fields(mozdef)
    if isinstance(mozdef.details, dict):
        for name, value in mozdef.details.items():
            if not value.startswith("$"):
                yield _PathSetting(f"mozdef.details.{name}", (value,), scalar=False)


def _settings_of_fields(mozdef: MozdefMapping) -> Iterator[_PathSetting]:
    for name, places in mozdef.fields.items():
        paths = tuple(one.path for one in places_of(places))
        if TYPE not in paths:
            yield _PathSetting(f"mozdef.fields.{name}", paths)
    for number, rule in enumerate(mozdef.by_value):
        for path in rule.when:
            yield _PathSetting(f"mozdef.by_value.{number}.when", (path,))


def _warning(source: str, setting: _PathSetting, events: Sequence[Any], wanted: str) -> PathWarning:
    paths = ", ".join(setting.paths[:4]) + (", …" if len(setting.paths) > 4 else "")
    text = f"no sample has {wanted} at {paths}"
    meant = next(filter(None, (_with_dots(path, events) for path in setting.paths)), None)
    if meant:
        text += f"; a key has a dot of its own: write {meant}"
    return PathWarning(source, setting.key, text)


def _has(event: Any, path: FieldPath, setting: _PathSetting) -> bool:
    value = find(event, path)
    return value is not None and (not setting.scalar or (_is_scalar(value) and value != ""))


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _with_dots(text: str, events: Sequence[Any]) -> str | None:
    """Return the path that spells the same and is there: with a dot that belongs to a key."""
    plain = ".".join(path_of(text))
    for event in events:
        for path in scalar_paths(event):
            if ".".join(path) == plain:
                return path_text(path)
    return None


def _elements(body: Any, path: str) -> list[Any]:
    found = find(body, path_of(path))
    return found if isinstance(found, list) else []


def _body(settings: Source, sample: LoadedSample) -> Iterator[Any]:
    try:
        yield json.loads(json_of(settings, sample.body))
    except (BodyError, ValueError, RecursionError):
        return  # The check of the sample says what is wrong with it.
