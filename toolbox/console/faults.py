"""What nobody foresaw: a page with one line and an id, and under that id all of it in the log."""

from __future__ import annotations

import logging
import secrets
import traceback
from typing import TYPE_CHECKING

from starlette.requests import Request

from toolbox.console.rendering import Problem, render
from toolbox.terminal.printable import printable_lines

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger(__name__)
#: Of a fault's stack, its end; the text of an error can be a sender's.
_MOST_LINES, _LONGEST = 60, 200


class FaultPages:
    """Answers in the place of a page that broke. It stands behind the gate, which adds headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on; what begins to stream and then breaks is cut off."""
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if begun:
                raise
            name = _logged(error)
            told = (
                f"something in the console broke ({type(error).__name__}); the console's log, in "
                f"its terminal, has it as fault {name}"
            )
            problem = Problem((told,), fault=name)
            answer = render(Request(scope), "templates/problem.html", problem, 500)
            await answer(scope, receive, send)


def _logged(error: Exception) -> str:
    name = secrets.token_hex(4)
    lines = "".join(traceback.format_exception(error)).split("\n")[-_MOST_LINES:]
    _LOG.error("fault %s: %s", name, printable_lines("\n".join(one[:_LONGEST] for one in lines)))
    return name
