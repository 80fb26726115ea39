"""A Chromium for the tests: the one that package-lock.json has, or that of MOZDEF_EF_BROWSER.

The npm package ``@sparticuz/chromium`` carries a headless shell of Chromium for x86-64 and, for
Amazon Linux 2023, the shared libraries that a bare system lacks. Beside them the shell needs what
libc6 brings on any Debian. It has no font of its own to fall back to, and without any a page has
no text at all: those of ``dejavu-fonts-ttf`` are named, and no other, so pictures are alike on
every machine.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import platform
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import brotli
from playwright.sync_api import Browser, Error, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "node_modules" / "@sparticuz" / "chromium"
FONTS = ROOT / "node_modules" / "dejavu-fonts-ttf" / "ttf"
SETTING = "MOZDEF_EF_BROWSER"
#: Milliseconds: only what hangs takes this long.
HANGS = 600_000
#: Names resolve to nothing, so what a page asks of another host never leaves the machine.
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir>
<alias><family>system-ui</family><prefer><family>DejaVu Sans</family></prefer></alias>
<alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
<alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


class BrowserMissingError(Exception):
    """No browser is there: what was looked for, and how one comes."""


@dataclass(frozen=True)
class Installed:
    """A browser's program, and what it has in its environment beside PATH and HOME."""

    program: Path
    variables: dict[str, str] = field(default_factory=dict)


def installed(build: Path = ROOT / "build", package: Path = PACKAGE) -> Installed:
    """Return the browser; that of the package is unpacked once for a checkout and version.

    Raises
    ------
    BrowserMissingError
        If there is none.
    """
    named = os.environ.get(SETTING)
    if named:
        if not os.access(named, os.X_OK):
            raise BrowserMissingError(f"{SETTING} names {named}, which is no program")
        return Installed(Path(named))
    if platform.machine() != "x86_64" or not (package / "package.json").is_file():
        raise BrowserMissingError(
            f"no browser in {package} for {platform.machine()}: run `make setup` on x86_64, or"
            f" name a Chromium with {SETTING}=/path"
        )
    version = json.loads((package / "package.json").read_text())["version"]
    folder = build / f"browser-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "chromium").exists():
            _unpack(package / "bin", folder)
        conf = FONTS_CONF.format(fonts=FONTS, cache=folder / "fonts-cache")
        (folder / "fonts.conf").write_text(conf)
    return Installed(
        folder / "chromium",
        {
            "LD_LIBRARY_PATH": str(folder / "lib"),
            "FONTCONFIG_FILE": str(folder / "fonts.conf"),
        },
    )


def _unpack(packed: Path, folder: Path) -> None:
    """Fill the folder; the program comes last, under its own name when it is whole."""
    libraries = brotli.decompress((packed / "al2023.tar.br").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(libraries)) as tar:
        # Debian 12's Python, 3.11.2, has no filters; the lock has the archive's hash.
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        tar.extractall(folder)
    unpacker, part = brotli.Decompressor(), folder / "chromium.part"
    with (packed / "chromium.br").open("rb") as source, part.open("wb") as target:
        while chunk := source.read(1 << 20):
            target.write(unpacker.process(chunk))
    part.chmod(0o755)
    part.rename(folder / "chromium")


@contextmanager
def running() -> Iterator[Browser]:
    """Start the browser, and end it whatever happens.

    Root has no sandbox in Chromium, and neither has a user whose kernel or container lets nobody
    make a user namespace: there it starts without. It opens pages of 127.0.0.1 alone.
    """
    browser = installed()
    with sync_playwright() as playwright:

        def launch(*, sandbox: bool) -> Browser:
            return playwright.chromium.launch(
                executable_path=browser.program,
                chromium_sandbox=sandbox,
                args=list(FLAGS),
                timeout=HANGS,
                env={"PATH": os.defpath, **browser.variables},
            )

        try:
            started = launch(sandbox=os.geteuid() != 0)
        except Error:
            started = launch(sandbox=False)
        try:
            yield started
        finally:
            started.close()
