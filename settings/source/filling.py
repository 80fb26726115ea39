"""Fills the dataclasses that the steps declare with the settings of a model, field by name.

What a declaration says is in `pipeline.event.compiled_source`.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    TypeGuard,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pipeline.errors import PipelineError
from pipeline.event import compiled_handshake, compiled_poll, skipping
from pipeline.event import fields as event_fields
from pipeline.event.bodies import body_form
from pipeline.event.proof import ProofOfBody

if TYPE_CHECKING:
    from dataclasses import Field

    from _typeshed import DataclassInstance

Compiled = TypeVar("Compiled")
_NONE = type(None)
#: What the declarations name and do not import when a function starts.
_NAMES = {
    **vars(event_fields),
    **vars(compiled_handshake),
    **vars(compiled_poll),
    **vars(body_form),
    **vars(skipping),
    "Annotated": Annotated,
    "Mapping": Mapping,
    "ProofOfBody": ProofOfBody,
}


class CompileError(PipelineError):
    """A step declares a setting that the model does not have."""


def compiled_as(kind: type[Compiled], settings: object, **given: object) -> Compiled:
    """Return what a step declares, filled from a model.

    Raises
    ------
    CompileError
        When the model has no such setting, or nothing for a field that needs something.
    """
    hints = _hints(kind)  # type: ignore[arg-type]
    declared: tuple[Field[Any], ...] = fields(kind)  # type: ignore[arg-type]
    values = dict(given)
    for field in declared:
        if field.name in given or field.name.startswith("_"):
            continue
        where, hint = f"{kind.__name__}.{field.name}", hints[field.name]
        value = _setting(settings, way_of(field.name, hint), field, where)
        if value is None and field.default is not MISSING:
            continue
        if value is None and _NONE not in get_args(_bare(hint)):
            raise CompileError(
                f"{where}: needs a value, and the source has none; declare a default"
            )
        values[field.name] = _made(hint, value)
    return kind(**values)


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind, localns=_NAMES, include_extras=True)


def way_of(name: str, hint: Any) -> str:
    """Return the dotted way to a field's setting: the field's name, unless it is annotated."""
    ways = [one for one in getattr(hint, "__metadata__", ()) if isinstance(one, str)]
    return ways[0] if ways else name


def _setting(settings: object, way: str, field: Field[Any], where: str) -> object:
    node: Any = settings
    for part in way.split("."):
        if node is None:
            return None
        if not hasattr(node, part):
            # A kind of credential, say, that has no such setting.
            if field.default is not MISSING:
                return None
            raise CompileError(f"{where}: {type(settings).__name__} has no setting {way}")
        node = getattr(node, part)
    return node


def _bare(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _made(hint: Any, value: Any) -> Any:
    """Return a setting in the form that a declaration asks for."""
    if value is None:
        return None
    if get_origin(hint) is Annotated:
        bare, *more = get_args(hint)
        functions = [one for one in more if callable(one)]
        if not functions:
            return _made(bare, value)
        for function in functions:
            value = function(value)
        return value
    arguments = get_args(hint)
    if get_origin(hint) in {Union, types.UnionType}:
        kinds = [one for one in arguments if one is not _NONE]
        return _made(kinds[0], value) if len(kinds) == 1 else value
    if get_origin(hint) is tuple:
        return tuple(_made(arguments[0], one) for one in value)
    if get_origin(hint) is Mapping:
        return {key: _entry(arguments[1], key, one) for key, one in value.items()}
    # A model can ask for a wider declaration of the same kind, where few need it.
    kind = getattr(value, "compiled_kind", hint)
    return compiled_as(kind, value) if _is_declaration(kind) else value


def _is_declaration(hint: Any) -> TypeGuard[type[DataclassInstance]]:
    return isinstance(hint, type) and is_dataclass(hint)


def _entry(hint: Any, key: str, value: Any) -> Any:
    if _is_declaration(hint):
        named = any(field.name == "name" for field in fields(hint))
        return compiled_as(hint, value, **({"name": key} if named else {}))
    return _made(hint, value)
