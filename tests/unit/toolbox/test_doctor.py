"""`mozdef-ef doctor`: each thing that stands in the way is named, with what to do."""

from __future__ import annotations

import json
import socket
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.command import run_here
from tests.support.terminal import fits, is_golden, shown
from toolbox.cli import doctor
from toolbox.preflight.finding import Finding, Known
from toolbox.project.finding import Project

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[3]


def _faults(found: list[Finding]) -> list[str]:
    return [f"{one.what}: {one.said}" for one in found if one.known is Known.FAULT]


def test_the_screen_begins_with_what_is_wrong() -> None:
    found = [
        Finding("machine", "Python", Known.GOOD, "3.11.7"),
        Finding("account", "credentials", Known.UNKNOWN, "none: nothing on AWS was looked at"),
        Finding("machine", "port 8787", Known.FAULT, "is not free", "choose another"),
    ]
    text = shown(lambda: doctor._print(found))
    fits(text)
    assert text.startswith("fault: machine, port 8787")
    is_golden("doctor", text)


def test_packages_are_those_of_the_lock(tmp_path: Path) -> None:
    typer, lock = metadata.version("typer"), tmp_path / "requirements.lock"
    lock.write_text(f"typer=={typer} \\\ntyper==0.1 ; python_full_version < '3'\nnot-here==1\n")
    assert _faults(list(doctor.packages(lock))) == []
    lock.write_text("typer==0.1 \\\n")
    assert _faults(list(doctor.packages(lock))) == [f"packages: typer {typer} in the place of 0.1"]
    assert list(doctor.packages(tmp_path / "no")) == []


def test_a_port_that_is_taken_and_a_state_that_is_a_file_are_faults(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = _faults(list(doctor.running(tmp_path / "file", port)))
    assert [one.partition(":")[0] for one in found] == ["state", f"port {port}"]
    assert _faults(list(doctor.running(tmp_path / "none", port))) == []


def test_settings_that_contradict_each_other_are_faults(tmp_path: Path) -> None:
    (tmp_path / "prod.yaml").write_text("service: ingest\nproject: Other\nsources: [github]\n")
    (tmp_path / "delivery.yaml").write_text(
        "account: '111111111111'\nregion: us-west-2\n"
        "source: {mode: codecommit, repository: framework}\nstages: [{name: prod}]\n"
    )
    found = list(doctor.settings(Project(tmp_path, "dev", "")))
    said = [f"{one.where}: {one.what}: {one.said}" for one in found]
    expected = "MozDef-EF, as delivery.yaml beside it says or leaves out, not Other"
    assert said == [
        f"{tmp_path / 'prod.yaml'}: project: {expected}",
        f"{tmp_path}: stage: dev: has no file",
    ]


def test_without_credentials_nothing_on_aws_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        region_name = None

        def get_credentials(self) -> None:
            return None

    monkeypatch.setattr("toolbox.sessions.aws_session", Session)
    monkeypatch.setattr(doctor, "tools", list)
    monkeypatch.setattr(doctor, "packages", lambda _: [])
    done = run_here(
        *("doctor", "--config", ROOT / "config", "--stage", "dev", "--state", "no", "--json"),
        *("--port", "1024"),
    )
    found = {one["what"]: one["known"] for one in json.loads(done.out)}
    assert found["settings"] == "good"
    assert found["credentials"] == "not known"
    assert done.status == 0


def test_a_missing_region_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        region_name = None

        def get_credentials(self) -> object:
            return object()

    monkeypatch.setattr("toolbox.sessions.aws_session", Session)
    found = list(doctor.account(Project(Path(), "dev", ""), asked=True))
    assert _faults(found) == ["region: none is chosen"]
