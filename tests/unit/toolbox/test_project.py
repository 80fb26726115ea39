"""One rule for the settings of a command: options, variables, and the nearest above."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from tests.support.command import Done, run_here
from toolbox.project.finding import find_project, require_file
from toolbox.project.next_steps import next_step

ROOT = Path(__file__).parents[3]
STAGE = "service: ingest\nsources: [github, own]\n"


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own that is a configuration folder: as the delivery pipeline has it."""
    monkeypatch.delenv("CONFIG", raising=False)
    monkeypatch.delenv("STAGE", raising=False)
    folder = tmp_path / "private"
    shutil.copytree(ROOT / "catalog" / "generic", folder / "sources" / "own")
    (folder / "prod.yaml").write_text(STAGE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return folder


def _listed(done: Done) -> bool:
    return "own*" in done.out


def test_nothing_is_found_where_there_is_nothing(private: Path) -> None:
    assert private.is_dir()
    assert find_project().config == Path("config")
    assert not _listed(run_here("source", "list"))


@pytest.mark.parametrize("below", ["", "sources", "sources/own/samples"])
def test_a_private_repository_is_found_from_any_folder_of_it(
    private: Path, below: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(private / below)
    assert find_project().config.resolve() == private
    assert _listed(run_here("source", "list"))


def test_the_frameworks_folder_is_found_from_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONFIG", raising=False)
    for below in (".", "docs", "toolbox/cli"):
        monkeypatch.chdir(ROOT / below)
        assert find_project().config.resolve() == ROOT / "config"
        assert find_project().home.resolve() == ROOT


def test_a_folder_that_anybody_can_write_to_is_not_searched(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(private, private.parent / "open" / "config")
    (private.parent / "open" / "work").mkdir()
    monkeypatch.chdir(private.parent / "open" / "work")
    assert find_project().config.resolve() == private.parent / "open" / "config"
    (private.parent / "open").chmod(0o1777)
    assert find_project().config == Path("config")


def test_the_option_goes_before_the_variable_and_both_before_what_is_near(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIG", str(ROOT / "config"))
    done = run_here("source", "list")
    assert not _listed(done)
    assert f"settings: {ROOT / 'config'} (CONFIG), stage dev\n" in done.err
    monkeypatch.setenv("STAGE", "prod")
    done = run_here("source", "list", "--config", private)
    assert _listed(done)
    assert done.err.splitlines()[0] == f"settings: {private}, stage prod (STAGE)"
    assert run_here("source", "list", "--config", private, "--stage", "x").err.endswith("x\n")


def test_what_one_command_was_given_is_not_the_next_ones(private: Path) -> None:
    assert _listed(run_here("source", "list", "--config", private))
    assert not _listed(run_here("source", "list"))


@pytest.mark.parametrize(
    "words",
    [
        ("source", "show", "own"),
        ("source", "check", "own"),
        ("source", "list"),
        ("config", "check"),
        ("tail", "own"),
        ("status",),
        ("dead-letters", "list"),
        ("send", "own"),
        ("secret", "set", "own"),
        ("audit",),
        ("replay", "list"),
    ],
)
def test_every_command_takes_the_options(private: Path, words: tuple[str, ...]) -> None:
    done = run_here(*words, "--config", private, "--stage", "prod")
    assert "No such option" not in done.err
    assert "no such source" not in done.err
    if done.status == 2:
        assert f"{private}/.local: not there" in done.err, done.err


def test_an_unknown_stage_or_source_has_the_nearest_name(private: Path) -> None:
    done = run_here("synth", "--config", private, "--stage", "prd")
    assert done.status == 1
    assert f"mozdef-ef: prd: no such stage in {private}; did you mean prod?" in done.err
    done = run_here("config", "check", "--config", private, "--stage", "prd")
    assert (done.status, "did you mean prod?" in done.err) == (1, True)
    done = run_here("source", "show", "gihub", "--config", private)
    assert (done.status, "did you mean github?" in done.err) == (1, True)


def test_a_folder_that_is_not_there_is_said(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run_here("source", "list", "--config", private / "no")
    assert done.err.startswith(f"mozdef-ef: --config: {private / 'no'}: there is no such folder")
    monkeypatch.setenv("CONFIG", "no")
    assert "CONFIG: no: there is no such folder" in run_here("source", "list").err


def test_a_next_step_repeats_what_was_given(private: Path) -> None:
    assert next_step("send github") == "mozdef-ef send github"
    done = run_here("tail", "--config", private, "--state", "a b")
    assert done.err.endswith(f"; run: mozdef-ef local up --config {private} --state 'a b'\n")


@pytest.mark.parametrize(
    "words",
    [
        ("local", "up", "--state", "file"),
        ("local", "up", "--assembly", "file/below"),
        ("synth", "--output", "file"),
        ("audit", "--missing-to", "file/missing.jsonl"),
    ],
)
def test_where_nothing_can_be_kept_is_said_before_any_work(
    private: Path, words: tuple[str, ...]
) -> None:
    Path("file").write_text("")
    done = run_here(*words, "--config", private, "--stage", "prod")
    assert done.status == 2
    assert done.err.startswith(f"mozdef-ef: {words[-2]}: ")
    assert done.err.endswith("file is no folder\n")


def test_a_report_that_cannot_be_written_is_said_before_the_audit(private: Path) -> None:
    here = ("--config", private, "--stage", "prod")
    for option, where, said in (
        ("--html", ".", "mozdef-ef: .: Is a directory\n"),
        ("--missing-to", "/proc/none", "/proc"),  # root is told of the file, others of the folder
        # Nothing runs, so the audit itself does not begin: this one could be written.
        ("--html", "new/folder/x.html", "not there, so nothing runs"),
    ):
        done = run_here("audit", option, where, *here)
        assert (done.status, said in done.err) == (2, True), done.err
    assert not any(Path("new/folder").iterdir())


def test_to_see_that_a_report_can_be_written_changes_nothing_that_is_there(tmp_path: Path) -> None:
    """A pipe is waited for, and its reader ends with who wrote first; a link leads somewhere."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "not-yet")
    require_file(link, "--html")
    assert link.is_symlink()
    looking = threading.Thread(target=require_file, args=(pipe, "--html"), daemon=True)
    looking.start()
    looking.join(10)
    assert not looking.is_alive()


def test_the_cdk_is_not_started_without_credentials(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Session:
        def get_credentials(self) -> None:
            return None

    monkeypatch.setattr("toolbox.sessions.aws_session", lambda **_: Session())
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("started"))
    monkeypatch.setattr("toolbox.cli.cdk.node", lambda: "node")
    done = run_here("cdk", "--config", private, "deploy")
    assert (done.status, "there are no credentials" in done.err) == (2, True)


@pytest.mark.parametrize("text", ["0001-01-01", "1999-12-31", "999999w", "9999-12-31"])
def test_a_span_is_bounded(private: Path, text: str) -> None:
    done = run_here("audit", "--from", text)
    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert "lies outside" in done.err or "is no time" in done.err
