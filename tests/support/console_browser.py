"""The console in the tests' browser: served from this process, and watched by its visitor."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import uvicorn

from tests.support.browser import HANGS, ROOT
from toolbox.console.access import ConsoleAccess
from toolbox.console.app import build_app
from toolbox.console.serving import listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request

    from toolbox.console.scene import ConsoleScene

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = ROOT / "build" / "screenshots"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
_VIOLATIONS = """document.addEventListener('securitypolicyviolation', (event) =>
  console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))"""
_RULES = """async () => {
  const found = await axe.run(document, {resultTypes: ['violations']});
  return found.violations.filter((one) => ['serious', 'critical'].includes(one.impact))
    .map((one) => one.id + ': ' + one.nodes.slice(0, 3).map((node) => node.html).join(' | '));
}"""


@contextmanager
def served(scene: ConsoleScene) -> Iterator[ConsoleAccess]:
    """Serve the console on a port of this machine; it ends with the context."""
    listener = listening(0)
    access = ConsoleAccess(listener.getsockname()[1])
    config = uvicorn.Config(
        build_app(scene, access),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    with pytest.MonkeyPatch.context() as patch:
        # How long a page takes is not asked here.
        patch.setattr("toolbox.console.scene.PAGE_SECONDS", HANGS / 1000)
        thread.start()
        try:
            yield access
        finally:
            server.should_exit = True
            thread.join(HANGS / 1000)
        listener.close()
        assert not thread.is_alive()


@dataclass
class Visitor:
    """A tab of the browser. Whatever should never happen in it is kept.

    Parameters
    ----------
    origin : str
        Of the console.
    wrong : list[str]
        Dialogs, errors of scripts, violations of the policy, requests to others.
    pictures : set[str]
        The names of those that were kept.
    """

    page: Page
    origin: str
    wrong: list[str] = field(default_factory=list)
    pictures: set[str] = field(default_factory=set)

    def watch(self) -> None:
        """Begin to keep what should not happen."""
        self.page.on("dialog", self._dialog)
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        self.page.on("console", self._console)
        self.page.on("request", self._request)
        self.page.add_init_script(_VIOLATIONS)

    def open(self, address: str) -> None:
        """Open one of the console's pages."""
        answer = self.page.goto(self.origin + address, wait_until="load")
        assert answer is not None
        assert answer.status == 200, f"{address}: {answer.status}"

    def faults(self) -> list[str]:
        """What axe finds on the page that is serious or critical."""
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE.read_text())
        found: list[str] = self.page.evaluate(_RULES)
        return found

    def show(self, scheme: Any, size: Any) -> None:
        """Give the page a colour scheme and a width."""
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        self.page.set_viewport_size(size)

    def picture(self, name: str) -> None:
        """Keep what the page looks like, in `build/screenshots`; of several one is enough."""
        if name in self.pictures:
            return
        self.pictures.add(name)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def fonts(self) -> set[str]:
        """The fonts in which the page's content is drawn, as the browser says."""
        devtools = self.page.context.new_cdp_session(self.page)
        devtools.send("DOM.enable")
        devtools.send("CSS.enable")
        root = devtools.send("DOM.getDocument")["root"]["nodeId"]
        main = devtools.send("DOM.querySelector", {"nodeId": root, "selector": "main"})
        found = devtools.send("CSS.getPlatformFontsForNode", {"nodeId": main["nodeId"]})
        devtools.detach()
        return {str(one["familyName"]) for one in found["fonts"]}

    def links(self) -> list[str]:
        """The addresses that the page leads to; each is the console's own."""
        found: list[str] = self.page.evaluate(
            "[...document.querySelectorAll('a[href]')].map((one) => one.href)"
        )
        elsewhere = [one for one in found if not one.startswith(f"{self.origin}/")]
        assert not elsewhere, elsewhere
        return [one.removeprefix(self.origin).partition("#")[0] for one in found]

    def _dialog(self, dialog: Dialog) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.wrong.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).hostname != "127.0.0.1":
            self.wrong.append(f"request to another host: {request.url}")


@contextmanager
def visiting(browser: Browser, access: ConsoleAccess) -> Iterator[Visitor]:
    """Enter the console by its address in a tab of its own; nothing wrong may happen in it."""
    with browser.new_context(reduced_motion="reduce", viewport=WIDE) as context:  # type: ignore[arg-type]
        context.set_default_timeout(HANGS)
        visitor = Visitor(context.new_page(), access.entry.partition("/enter")[0])
        visitor.watch()
        visitor.page.goto(access.entry, wait_until="load")
        yield visitor
        assert visitor.wrong == []


def shape_of(address: str) -> str:
    """Return what pages alike have in common: the parts of the address without names."""
    parts = [one for one in address.partition("?")[0].split("/") if one]
    return "/".join([*parts[:1], *("*" for _ in parts[1:2]), *parts[2:3]])
