"""Commands whose modules are imported when they are called, not when another one is.

The help of a group names each of its commands, and needs none of their modules.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from toolbox.project.options import with_project

if TYPE_CHECKING:
    from collections.abc import Callable

_HELP = ("-h", "--help")


class LazyCommand(TyperCommand):
    """Stands in a group for a command, or a group, of a module that is not imported yet."""

    def __init__(self, *arguments: Any, find: Callable[[], Any], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._find = find

    def loaded(self) -> TyperCommand | TyperGroup:
        """Return the command: a function's, or the group that a `Typer` is."""
        found = self._find()
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            app = new_app()
            kind = getattr(sys.modules[found.__module__], "COMMAND_CLASS", None)
            settings = dict(self.context_settings)
            app.command(self.name, cls=kind, context_settings=settings)(with_project(found))
            command = typer.main.get_command(app)
        command.name = self.name
        return command  # type: ignore[no-any-return]

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read its words from the command line, which needs it."""
        return self.loaded().make_context(*arguments, **options)


def new_app(**options: Any) -> typer.Typer:
    """Return an application, or a group of commands, in the manners of the house."""
    settings = {"context_settings": {"help_option_names": list(_HELP)}, **options}
    return typer.Typer(
        **{
            "add_completion": False,
            "pretty_exceptions_enable": False,
            "rich_markup_mode": None,
            **settings,
        }
    )


def add(app: typer.Typer, name: str, what: str | typer.Typer, said: str, **settings: Any) -> None:
    """Add a command, or a group of them.

    Parameters
    ----------
    what : str | typer.Typer
        `module:name`, of a function or a group; or the group.
    said : str
        One line, for the help of what it is added to.
    settings : Any
        Its context settings, where they are not the house's.
    """

    def find() -> Any:
        if isinstance(what, typer.Typer):
            return what
        module, _, attribute = what.partition(":")
        return getattr(import_module(module), attribute)

    def make(*arguments: Any, **options: Any) -> LazyCommand:
        return LazyCommand(*arguments, find=find, **options)

    context = settings or {"help_option_names": list(_HELP)}
    app.command(name, cls=make, help=said, context_settings=context)(_nothing)  # type: ignore[arg-type]


def _nothing() -> None:
    """Stands for a command's function."""
