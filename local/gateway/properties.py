"""Reads the properties of one resource: resolved, with a clear line for what is not supported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from local.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from local.template import Resource, Template

_T = TypeVar("_T")


class Properties:
    """Some properties of a resource.

    Parameters
    ----------
    prefix : str
        The path of the property that holds them, for errors.
    """

    def __init__(self, logical_id: str, values: Mapping[str, Any], prefix: str = "") -> None:
        self.logical_id = logical_id
        self._values = values
        self._prefix = prefix

    @classmethod
    def of(cls, template: Template, resource: Resource) -> Properties:
        """Resolve the properties of a resource.

        Raises
        ------
        TemplateError
            When something in them cannot be resolved.
        """
        try:
            return cls(resource.logical_id, template.resolve(dict(resource.properties)))
        except TemplateError as error:
            raise TemplateError(f"{resource.logical_id}: {error}") from None

    @classmethod
    def all_of(cls, template: Template, kind: str) -> list[Properties]:
        """Return the properties of every resource of a type of `AWS::ApiGateway`."""
        return [cls.of(template, each) for each in template.resources(f"AWS::ApiGateway::{kind}")]

    def where(self, name: str) -> str:
        """Name a property for an error."""
        return f"{self.logical_id}: {self._prefix}{name}"

    def only(self, known: Iterable[str]) -> None:
        """Refuse properties other than these.

        Raises
        ------
        TemplateError
            When there are others.
        """
        names = set(known)
        for name in self._values:
            if name not in names:
                raise self.unsupported(name, supported=", ".join(sorted(names)))

    def unsupported(self, name: str, *, supported: str) -> TemplateError:
        """Make the error for a property or value that the gateway does not support."""
        value = self._values.get(name)
        return TemplateError(
            f"{self.where(name)}: {value!r} is not supported locally; supported: {supported}"
        )

    def get(self, name: str, kind: type[_T], default: _T | None = None) -> _T:
        """Return a property of this type; a template's numbers and booleans may be strings.

        Raises
        ------
        TemplateError
            When it is missing and has no default, or has another type.
        """
        value = self._values.get(name)
        if value is None:
            if default is None:
                raise TemplateError(f"{self.where(name)}: missing")
            return default
        if kind is bool and value in {"true", "false"}:
            value = value == "true"
        elif kind in {int, float, str} and isinstance(value, int | float | str):
            try:
                value = kind(value)  # type: ignore[call-arg]
            except ValueError:
                value = None
        if not isinstance(value, kind):
            raise self.unsupported(name, supported=f"a value of type {kind.__name__}")
        return value

    def one_of(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """Return a property that is one of these words.

        Raises
        ------
        TemplateError
            When it is another.
        """
        value = self.get(name, str, default)
        if value not in allowed:
            raise self.unsupported(name, supported=", ".join(word or "none" for word in allowed))
        return value

    def has(self, name: str) -> bool:
        """Tell whether there is a property of this name."""
        return self._values.get(name) is not None

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return a property that is an object; {} where it is missing."""
        return self.get(name, dict, {})

    def part(self, name: str) -> Properties:
        """Return the properties inside a property."""
        return Properties(self.logical_id, self.mapping(name), f"{self._prefix}{name}.")

    def parts(self, name: str) -> list[Properties]:
        """Return the properties inside each item of a property that is a list."""
        return [
            Properties(self.logical_id, item, f"{self._prefix}{name}[{index}].")
            for index, item in enumerate(self.get(name, list, []))
        ]
