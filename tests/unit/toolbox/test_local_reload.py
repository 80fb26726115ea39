"""`local up` hears of changed settings, and says what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from local.data_changes import DataWouldBeLostError
from local.endpoints import Endpoints
from local.provision import ProvisionError
from tests.functional.local.support import CREDENTIALS, wait_for
from toolbox.cli.local import _way_in
from toolbox.cli.local_reload import Reloader
from toolbox.project.finding import Project
from toolbox.synthesis import AssemblyError

if TYPE_CHECKING:
    from pathlib import Path


def _endpoints(*sources: str) -> Endpoints:
    queues = dict.fromkeys(sources, "http://queue")
    return Endpoints("http://api", "", "", "", queues, "", "", "", {}, CREDENTIALS)


@dataclass
class Runtime:
    endpoints: Endpoints = field(default_factory=lambda: _endpoints("github", "gone"))
    reloads: int = 0
    fault: Exception | None = None

    def reload(self) -> Endpoints:
        self.reloads += 1
        if self.fault:
            raise self.fault
        self.endpoints = _endpoints("github", "gitlab")
        return self.endpoints


@dataclass
class Synthesizer:
    """Makes the settings' text the template."""

    project: Project
    calls: int = 0

    def warm(self) -> None:
        pass

    def synthesize(self, output: Path) -> None:
        self.calls += 1
        text = self.project.stage_file.read_text()
        if "wrong" in text:
            raise AssemblyError(f"{self.project.stage_file}: wrong\nand more")
        (output / "stack.template.json").write_text(text)


@dataclass
class Case:
    project: Project
    runtime: Runtime
    synthesizer: Synthesizer
    reloader: Reloader

    def write(self, text: str) -> None:
        self.project.stage_file.write_text(f"service: a\nsources: [github]\n# {text}\n")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    config, assembly = tmp_path / "config", tmp_path / "cdk.out"
    (config / "sources" / "own").mkdir(parents=True)
    assembly.mkdir()
    project, runtime = Project(config, "dev", "said"), Runtime()
    synthesizer: Any = Synthesizer(project)
    project.stage_file.write_text("service: a\nsources: [github]\n# first\n")
    synthesizer.synthesize(assembly)
    seen: Any = runtime
    reloader = Reloader(seen, synthesizer, project, assembly, _way_in)
    return Case(project, runtime, synthesizer, reloader)


def test_what_changed_is_taken_over_and_said(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    case.reloader.take_over()
    assert (case.runtime.reloads, capsys.readouterr().out) == (0, "")
    case.write("second")
    case.reloader.take_over()
    case.reloader.take_over()
    assert case.runtime.reloads == 1
    first, new, gone = capsys.readouterr().out.splitlines()
    assert first.startswith("settings taken over in ")
    assert new == "  new: POST http://api/gitlab"
    assert gone == "  no more: gone; its queue stays"


def test_a_fault_is_said_once_and_what_runs_goes_on(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    case.write("wrong")
    for _ in range(2):
        case.reloader.take_over()
    assert case.runtime.reloads == 0
    assert capsys.readouterr().err.splitlines() == [
        "settings not taken over, what runs goes on:",
        f"  {case.project.stage_file}: wrong",
        "  and more",
    ]
    case.write("first")
    case.reloader.take_over()
    assert capsys.readouterr().out == "settings are again what runs\n"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ProvisionError("no room"), "  no room"),
        (
            DataWouldBeLostError(("Stream: ShardCount",)),
            "to take it over, stop this and type: mozdef-ef local up (it asks first)",
        ),
    ],
)
def test_what_the_runtime_refuses_is_said_and_tried_again(
    case: Case, fault: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case.runtime.fault = fault
    case.write("second")
    case.reloader.take_over()
    assert said in capsys.readouterr().err
    case.runtime.fault = None
    case.reloader.take_over()
    assert "settings taken over" in capsys.readouterr().out


def test_it_hears_of_files_and_of_folders_that_are_new(case: Case) -> None:
    def heard_of(before: int) -> None:
        wait_for(lambda: case.synthesizer.calls > before, "it was not heard of")

    case.reloader.start()
    try:
        heard_of(1)  # what changed before it watched
        schema = case.project.config / "sources" / "own" / "schema.json"
        for change in (
            lambda: case.write("second"),
            lambda: schema.write_text("{}"),
            (schema.parent / "samples").mkdir,
            lambda: (schema.parent / "samples" / "one.json").write_text("{}"),
        ):
            before = case.synthesizer.calls
            change()
            heard_of(before)
    finally:
        case.reloader.stop()
        case.reloader.join()
    # What is made beside, or below, is no change of settings.
    assert case.runtime.reloads == 1
