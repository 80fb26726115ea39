"""What `make audit` makes of the tools' answers, and above all of none.

The forms are those of pip-audit 2.10.1 and npm 11: with data, without, and cut off from it.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from toolbox.vulnerabilities import AuditedLock, Said, ask, of_node, of_python, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HASH = f" --hash=sha256:{'a' * 64}\n"
NODE = {
    "packages": {
        "": {},
        "node_modules/aws-cdk": {"version": "2.1", "integrity": "sha512-YQ=="},
        "node_modules/@a/b": {"version": "1.0", "integrity": "sha512-YQ=="},
    }
}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "x.lock"
    path.write_text(
        f"six==1.17.0{HASH}typing-extensions==4.16.0{HASH}old==1 ; python_version < '3'{HASH}"
    )
    return path


@pytest.fixture
def node_lock(tmp_path: Path) -> Path:
    path = tmp_path / "package-lock.json"
    path.write_text(json.dumps(NODE))
    return path


def saying(out: Any, err: str = "") -> Callable[[Sequence[str], Path], Said]:
    text = out if isinstance(out, str) else json.dumps(out)
    return lambda command, folder: Said(text, err)


def package(name: str, version: str, *vulns: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": version, "vulns": list(vulns)}


CLEAN = [package("six", "1.17.0"), package("typing_extensions", "4.16.0")]
FOUND = {"id": "PYSEC-2026-1", "fix_versions": ["1.18.0"], "aliases": [], "description": "x"}
SKIPPED = {
    "name": "six",
    "skip_reason": "Dependency not found and could not be audited: https://host/simple six",
}


def status_of(*answers: AuditedLock) -> int:
    return tell(answers)


def test_packages_of_which_nothing_is_known_are_well(lock: Path) -> None:
    answer = of_python(lock, saying({"dependencies": CLEAN, "fixes": []}))
    assert answer == AuditedLock("x.lock", 2, ())
    assert status_of(answer) == 0


def test_what_is_known_is_told_with_the_version_that_mends_it(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = of_python(lock, saying({"dependencies": [package("six", "1.17.0", FOUND), CLEAN[1]]}))
    assert status_of(answer) == 1
    out = capsys.readouterr().out
    assert all(word in out for word in ("six", "1.17.0", "PYSEC-2026-1", "1.18.0"))


@pytest.mark.parametrize(
    ("document", "err", "left"),
    [
        # The tool skips what it was not answered for, finds nothing and ends with 0.
        ({"dependencies": [SKIPPED, CLEAN[1]]}, "No known vulnerabilities found", 1),
        ({"dependencies": [SKIPPED]}, "No known vulnerabilities found", 2),
        ({"dependencies": []}, "No known vulnerabilities found", 2),
        ({"dependencies": [package("six", "1.16.0"), CLEAN[1]]}, "", 1),
        ("", "requests.exceptions.ConnectionError: https://host:443 refused", 2),
        ("", "ProxyError: HTTPSConnectionPool(host='host.example', port=443): no route", 2),
        ("Traceback", "", 2),
        ("[]", "", 2),
        ({}, "", 2),
    ],
)
def test_no_answer_is_never_taken_for_a_good_one(
    lock: Path, document: Any, err: str, left: int, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = of_python(lock, saying(document, err))
    assert len(answer.unanswered) == left
    assert status_of(answer) == 3
    told = capsys.readouterr()
    assert "NOT CHECKED" in told.err
    assert "host.example" not in told.err + told.out
    assert "https:" not in told.err + told.out


def test_a_vulnerability_is_told_although_others_were_not_answered_for(lock: Path) -> None:
    answer = of_python(lock, saying({"dependencies": [package("six", "1.17.0", FOUND)]}))
    assert answer.unanswered == ("typing-extensions",)
    assert status_of(answer, AuditedLock("y", 1, (), ("z",), "no")) == 1


def test_the_tool_is_held_to_the_hashes_of_the_lock(lock: Path) -> None:
    commands: list[Sequence[str]] = []

    def note(command: Sequence[str], folder: Path) -> Said:
        commands.append(command)
        return Said("", "")

    of_python(lock, note)
    assert {"--require-hashes", "--disable-pip", str(lock)} <= set(commands[0])


def test_what_npm_knows_is_told(node_lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    via = {"title": "Prototype pollution", "url": "https://host/GHSA-1", "range": "<2.2"}
    found = {"aws-cdk": {"via": [via, "other"]}, "other": {"via": ["aws-cdk"]}}
    answer = of_node(node_lock, saying({"auditReportVersion": 2, "vulnerabilities": found}))
    assert [(one.package, one.version, one.name) for one in answer.advisories] == [
        ("aws-cdk", "2.1", "GHSA-1")
    ]
    assert status_of(answer) == 1
    assert "outside of <2.2" in capsys.readouterr().out


def test_npm_without_findings_is_well(node_lock: Path) -> None:
    answer = of_node(node_lock, saying({"auditReportVersion": 2, "vulnerabilities": {}}))
    assert answer == AuditedLock("package-lock.json", 2, ())


@pytest.mark.parametrize(
    "document",
    [
        {"message": "405 Method Not Allowed - POST https://host/x", "statusCode": 405},
        {"error": {"code": "ENOLOCK", "summary": "needs a lock"}},
        "",
    ],
)
def test_npm_without_an_answer_is_told(
    node_lock: Path, document: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = of_node(node_lock, saying(document, "npm error https://host"))
    assert answer.unanswered == ("@a/b", "aws-cdk")
    assert status_of(answer) == 3
    assert "host" not in capsys.readouterr().err


def test_a_tool_that_is_not_there_has_said_nothing(tmp_path: Path) -> None:
    said = ask([str(tmp_path / "none")], tmp_path)
    assert said.out == ""
    assert "No such file" in said.err


def test_what_a_tool_writes_is_read(tmp_path: Path) -> None:
    program = "import sys; print('{}'); print('no', file=sys.stderr); sys.exit(1)"
    assert ask([sys.executable, "-c", program], tmp_path) == Said("{}\n", "no\n")
