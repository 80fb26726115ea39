"""What the page "Now" shows: the status that `mozdef-ef status` prints."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from settings.deployment_alarms import AlarmSettings
from toolbox.watching.document import status_document

if TYPE_CHECKING:
    from toolbox.console.scene import ConsoleScene
    from toolbox.watching.status import Risk, Status

MINUTES = 5


@dataclass(frozen=True)
class NowPage:
    """A deployment at one moment."""

    status: Status
    risks: list[Risk]

    def document(self) -> dict[str, Any]:
        """Return what `mozdef-ef status --json` prints."""
        return status_document(self.status, self.risks)


def read_now(scene: ConsoleScene) -> NowPage:
    """Look at the deployment."""
    found = scene.watcher.look(time.time(), MINUTES)
    return NowPage(found, found.risks(AlarmSettings()))
