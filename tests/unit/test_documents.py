"""What the pages name exists: files, modules, headings, targets of make, commands and options."""

from __future__ import annotations

import itertools
import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.core import TyperGroup
from typer.main import get_command

from loadtests.attack.plan import ATTACKS
from toolbox.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    ROOT / "catalog" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
#: A word that begins with one of these and a slash is meant as a path of the repository.
ROOTS = (*PACKAGES, "config", "docs", ".ci")
#: Written by whoever deploys, and not there in a clone.
OF_A_DEPLOYMENT = re.compile(r"config/(delivery\.yaml|sources/.*)")

_FENCE = re.compile(r"^ *```.*?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(rf"(?<![\w./<-])(?:{'|'.join(map(re.escape, ROOTS))})/[^\s`'\",:;()|#&=$?]*")
_MODULE = re.compile(rf"(?<![\w./-])(?:{'|'.join(PACKAGES)})(?:\.\w+)+(?![\w/-])")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"(?:^|[ /])(mozdef-ef .*)")
_TARGET = re.compile(r"^(?:\$ )?(make(?: .*)?)$")


@dataclass(frozen=True)
class Page:
    """A page, and what of it is code: spans, and the lines of its blocks."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def code(self) -> list[str]:
        blocks = [block.replace("\\\n", " ") for block in _FENCE.findall(self.text)]
        spans = _SPAN.findall(_FENCE.sub("", self.text))
        return [line.strip() for block in blocks for line in block.splitlines()] + spans

    @property
    def anchors(self) -> set[str]:
        headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", self.text), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in headings}


pages = pytest.mark.parametrize(
    "page", [pytest.param(Page(path), id=str(path.relative_to(ROOT))) for path in PAGES]
)


def exists(path: str) -> bool:
    """Whether a path is there; of one with a placeholder, whether its known beginning is."""
    parts = path.rstrip("/.").split("/")
    known = next((n for n, part in enumerate(parts) if re.search(r"[<>*{}…]", part)), len(parts))
    return (ROOT / "/".join(parts[:known])).exists()


def is_module(name: str) -> bool:
    """Whether a dotted name is a module, or a name that one has in its text."""
    path = ROOT.joinpath(*name.split("."))
    if path.with_suffix(".py").exists() or path.is_dir():
        return True
    owner = path.parent.with_suffix(".py")
    if not owner.exists():
        owner = path.parent / "__init__.py"
    return owner.exists() and re.search(rf"\b{path.name}\b", owner.read_text()) is not None


@pages
def test_every_path_in_code_exists(page: Page) -> None:
    named = {path for line in page.code for path in _PATH.findall(line)}
    missing = {path for path in named if not exists(path) and not OF_A_DEPLOYMENT.match(path)}
    assert not missing


@pages
def test_every_module_in_code_exists(page: Page) -> None:
    named = {name for line in page.code for name in _MODULE.findall(line)}
    assert not {name for name in named if not is_module(name)}


@pages
def test_every_link_leads_somewhere(page: Page) -> None:
    for target in _LINK.findall(_FENCE.sub("", page.text)):
        if not target.startswith("https://"):
            name, _, anchor = target.partition("#")
            path = (page.path.parent / name).resolve() if name else page.path
            assert path.exists(), target
            assert not anchor or anchor in Page(path).anchors, target


def test_every_page_is_found_from_the_readme() -> None:
    targets = _LINK.findall((ROOT / "README.md").read_text())
    linked = {(ROOT / target.partition("#")[0]).resolve() for target in targets}
    assert not {path for path in PAGES if path.name != "README.md"} - linked


@cache
def makefile() -> str:
    return (ROOT / "Makefile").read_text()


@pages
def test_every_target_of_make_exists(page: Page) -> None:
    targets = set(re.findall(r"^([a-z-]+):", makefile(), re.MULTILINE))
    for line in page.code:
        for command in _TARGET.findall(line):
            for word in shlex.split(command, comments=True)[1:]:
                name, variable, _ = word.partition("=")
                known = f"$({name})" in makefile() or f"$(if $({name})" in makefile()
                assert known if variable else name in targets, command


def fault_of(words: Sequence[str]) -> str:
    """What the command line does not know of a command; empty where it knows all of it."""
    command: Any = get_command(app)
    for number, word in enumerate(words):
        if isinstance(command, TyperGroup) and word in command.commands:
            lazy: Any = command.commands[word]
            command = lazy.loaded()
            if command.context_settings.get("ignore_unknown_options"):
                break  # the CDK's own command line has the rest
        elif word.startswith("--"):
            options = {option for each in command.params for option in each.opts} | {"--help"}
            if word.partition("=")[0] not in options:
                return f"no option {word} of {words[:number]}"
        elif isinstance(command, TyperGroup) and not command.invoke_without_command:
            return f"no command {word} of {words[:number]}"
    return ""


@pages
def test_every_command_and_option_exists(page: Page) -> None:
    for line in page.code:
        for command in _COMMAND.findall(line):
            # `secret set|rotate` stands for two commands; ` | ` and ` > ` end one.
            words = shlex.split(re.split(r" [|;&>]+ ", command)[0], comments=True)[1:]
            for one in itertools.product(*(word.split("|") for word in words)):
                assert not (fault := fault_of(one)), f"{command}: {fault}"


#: A test that a page names as what holds a claim, and an entry of `make attack`.
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_ATTACK = re.compile(r'"([^"]+)"')


@pages
def test_every_test_that_a_page_names_exists(page: Page) -> None:
    for file, name in _TEST.findall(page.text):
        text = (ROOT / file).read_text() if (ROOT / file).exists() else ""
        assert re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE), f"{file}::{name}"


def claims() -> list[tuple[str, str]]:
    """Return each row of the threat model's tables of what an attacker cannot do."""
    text = (ROOT / "docs" / "security.md").read_text()
    tables = re.findall(
        r"^\| cannot \| held by \|\n\|---\|---\|\n((?:\|.*\n)+)", text, re.MULTILINE
    )
    assert len(tables) == len(re.findall(r"^\*\*Can\*\*", text, re.MULTILINE))
    rows = [line.strip("| ").split(" | ") for table in tables for line in table.splitlines()]
    return [(claim, held) for claim, held in rows]


def test_each_claim_of_the_threat_model_names_what_holds_it() -> None:
    attacks = {attack.name for attack in ATTACKS}
    named = set()
    for claim, held in claims():
        found = set(_ATTACK.findall(held))
        assert found <= attacks, f"{claim}: no attack {found - attacks}"
        assert found or _TEST.findall(held), f"{claim}: nothing holds it"
        named |= found
    assert named == attacks, f"of no claim: {attacks - named}"


def test_what_is_drawn_as_the_layout_is_the_layout() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    (block,) = re.findall(r"^## Layout\n+```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    drawn, top = set(), ""
    for line in block.splitlines():
        folders = re.match(r" *(?:[\w.]+/(?:<\w+>/)* *)+", line)
        for folder in re.findall(r"[\w.]+(?=/)", folders[0]) if folders else ():
            top = top if line.startswith(" ") else folder
            drawn.add(f"{top}/{folder}" if line.startswith("  ") and folder != top else folder)
    assert not {path for path in drawn if not (ROOT / path).is_dir()}
    rooms = {
        str(path.parent.relative_to(ROOT))
        for pattern in ("*/__init__.py", "pipeline/*/__init__.py")
        for path in ROOT.glob(pattern)
    }
    assert rooms <= drawn | {"tests"}


def test_the_hooks_before_a_commit_are_the_commands_of_make_lint() -> None:
    variables = dict(re.findall(r"^(\w+) :?= (.*)$", makefile(), re.MULTILINE))
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", makefile(), re.MULTILINE)
    while re.search(r"\$\(\w+\)", recipe):
        recipe = re.sub(r"\$\((\w+)\)", lambda match: variables[match[1]], recipe)
    settings = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repository in settings["repos"] for hook in repository["hooks"]]
    assert [hook["entry"] for hook in hooks] == [line.strip() for line in recipe.splitlines()]
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in hooks)


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert releases[0] == "[Unreleased]"
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= kinds
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", name) for name in releases[1:])
