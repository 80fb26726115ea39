"""The settings of where a sender's body goes in a MozDef event, and of what is changed in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from pipeline.event.fields import path_of
from settings.faults import refuse
from settings.source.base import FieldPath, Model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.rule_states import RulePlan

Shape = Literal["body"] | dict[str, str]
RulePaths = FieldPath | Annotated[tuple[FieldPath, ...], Field(min_length=1)]
#: What a field's new name may be: nothing that the index would take apart or refuse.
NewName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")]


class PluginSettings(Model):
    """What a plugin of MozDef's wants of the types that it keeps; all others go as documents."""

    types: tuple[str, ...] = Field(min_length=1, description="the types that the plugin keeps")
    tags: tuple[str, ...] = Field(min_length=1, description="the tags by which it picks its events")
    details: Shape = Field(default="body", description="as mozdef.details, for these types")


class BodyRule(Model):
    """What is done with the values at some paths, before MozDef sees them.

    A path counts from the body. `*` in a part stands for any text in one name, and a part `**` for
    any number of parts. Lists are looked through. '.' is the body, which only 'stringify' takes.
    """

    stringify: RulePaths | None = Field(
        default=None,
        description="objects become their JSON text, true and false become texts; texts, numbers "
        "and null stay; of a list each element",
    )
    drop: RulePaths | None = Field(default=None, description="the fields are left out")
    rename: RulePaths | None = Field(default=None, description="the fields get another name")
    keep: RulePaths | None = Field(
        default=None, description="the fields stay, whatever a rule below says of them"
    )
    to: NewName | None = Field(default=None, description="the name that 'rename' gives")
    only: Literal["objects", "scalars"] | None = Field(
        default=None,
        description="which values are meant; a list counts as what is in it. Default: all",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> BodyRule:
        refuse(self._wrong())
        return self

    def _wrong(self) -> Iterator[tuple[str, str]]:
        if sum(paths is not None for _, paths in self._kinds()) != 1:
            yield "stringify", "give exactly one of 'stringify', 'drop', 'rename' and 'keep'"
        if (self.rename is None) != (self.to is None):
            yield "to", "is given if and only if 'rename' is"
        for path in self.paths:
            if path == "." and self.stringify is not None:
                continue
            if path == "." or not all(path_of(path)):
                yield "path", f"{path!r} names no field of the body"
            elif path_of(path)[-1] == "**":
                yield "path", f"{path!r}: '**' stands before the name of a field"

    def _kinds(self) -> tuple[tuple[str, RulePaths | None], ...]:
        return tuple(
            (kind, getattr(self, kind)) for kind in ("stringify", "drop", "rename", "keep")
        )

    @property
    def kind(self) -> str:
        """What the rule does."""
        return next((kind for kind, paths in self._kinds() if paths is not None), "")

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that it is for."""
        paths = next((paths for _, paths in self._kinds() if paths is not None), ())
        return (paths,) if isinstance(paths, str) else paths


def rule_plan(rules: tuple[BodyRule, ...]) -> RulePlan:
    """Return what the fan-out works by."""
    return tuple(
        (path_of(path), rule.kind, rule.to or "", rule.only or "")
        for rule in rules
        for path in rule.paths
    )
