"""The scene as the functions that search and explain events take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolbox.explaining.opening import Explained

if TYPE_CHECKING:
    from toolbox.console.scene import ConsoleScene


def explained(scene: ConsoleScene) -> Explained:
    """Return what explains the events of a scene."""
    return Explained(scene.where, scene.state, scene.stack, scene.folders(), scene.archive)
