"""Whatever text comes from outside, a terminal gets characters that show, and all of them."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.style import Style
from rich.text import Text

from pipeline.archive.ledger import LedgerEntry
from pipeline.archive.lines import Received
from pipeline.errors import PipelineError
from pipeline.replay.job import Job
from settings.faults import Fault, WrongSettingsError
from tests.support.hostile_text import HOSTILE, MARKUP, offending, uncoloured
from toolbox.audit.join import AuditReport
from toolbox.audit.run import AuditSpan
from toolbox.cli import (
    audit_screen,
    dead_letters,
    replay_dry,
    replay_run,
    source_check,
    source_try,
    tail,
)
from toolbox.cli.source_options import say_broken
from toolbox.cli.status_screen import screen
from toolbox.sources.checking import CheckedSample
from toolbox.sources.checking_paths import PathWarning
from toolbox.sources.trial import TriedWay
from toolbox.synthesis import AssemblyError
from toolbox.terminal.console import tell_uncaught
from toolbox.terminal.output import (
    console,
    errors,
    print_json,
    print_table,
    print_text,
    progress_bar,
    say_error,
)
from toolbox.terminal.tables import FittingTable, styled
from toolbox.watching.status import (
    AccountState,
    ConsumerState,
    FeedState,
    QueueState,
    Risk,
    SourceState,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = 1_795_464_600.0
DAY = datetime(2026, 11, 23, tzinfo=UTC)
#: Words that have to be seen again, and what stands between them.
WORDS = ("alpha", "bravo", "charlie", "delta")
PIECES = st.lists(
    st.sampled_from(HOSTILE) | st.text(st.characters(codec=None), max_size=4), max_size=3
)


@st.composite
def hostile(draw: st.DrawFn) -> str:
    return "".join(word + "".join(draw(PIECES)) for word in WORDS)


def _job(text: str) -> Job:
    job = Job("replay-20261123T210000-0a1b", {"user": text}, text, {}, {})
    job.error, job.by, job.status = text, {text: 1}, text
    job.counts, job.before = {"unreadable": 1}, {f"delivered/{text}": 1}
    job.problems = [{"what": text, "key": text, "line": 1, "explanation": text}]
    return job


def _dry(text: str) -> dict[str, Any]:
    group = {"kind": text, "source": text, "reason": text, "hour": text, "events": 1}
    event = {"arrived": text, "source": text, "id": text, "reason": text, "body": text}
    problem = {"what": text, "key": text, "line": 1, "explanation": text}
    return {
        "would_send": 1, "bytes": 1, "seconds": 1, "sent_again": 0, "delivered_before": 0,
        "groups": [group], "counts": {}, "before": {}, "sample": [event], "problems": [problem],
    }  # fmt: skip


def _report(text: str) -> AuditReport:
    report = AuditReport(counts={text: Counter({"rejected": 1, f"rejected:{text}": 1})})
    report.missing = [Received(1, text, text, NOW, text)]
    report.unmatched = [LedgerEntry(1, text, text, "delivered", None, NOW)]
    report.unreadable = [text]
    return report


def _status(text: str) -> Status:
    return Status(
        deployment=text,
        as_of=NOW,
        minutes=5,
        sources=(SourceState(text, Counter({"Received": 1.0}), NOW),),
        consumers=(ConsumerState(text, 1.0),),
        tickets=QueueState(text, 1, 1, 1.0),
        queues=(QueueState(text, 1, 1, 1.0),),
        feeds=(FeedState(text, text, 1.0, NOW, text),),
        accounts=AccountState(NOW, 1, {text: 1}, 0),
    )


def _event(text: str) -> dict[str, Any]:
    return {
        "outcome": text, "explanation": text, "type": text, "delivery_id": text,
        "deduplication_key": text, "schema": text, "queue": text, "contract": [text],
        "mozdef": {text.encode(errors="replace").decode(): text},
    }  # fmt: skip


def _try(text: str) -> None:
    event = _event(text)
    source_try._print(
        TriedWay(text, text, text, text, [("front door", text)], [event], [], fine=True)
    )


def _checked(text: str) -> None:
    source_check.print_checked([CheckedSample(text, text, text, text, (text,))])
    source_check.print_warnings([PathWarning(text, text, text)])


def _bar(text: str) -> None:
    with progress_bar() as bar:
        bar.add_task(text, total=2, rate=text)


def _spinner(text: str) -> None:
    with console.status(text):
        pass


#: What is asked for here takes the place of what the profile leaves out: clocks are named again.
HEALTHY = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
#: What prints one line of it, or several that are the house's own.
RENDERERS: dict[str, Callable[[str], None]] = {
    "print": console.print,
    "print in a style": lambda text: errors.print(text, style="red"),
    "out": console.out,
    "print with markup asked for": lambda text: console.print(text, markup=True, emoji=True),
    "a part of a screen": lambda text: console.print(styled(text, "bold")),
    "a table": lambda text: print_table(text, (text, text), [(text, 1)]),
    "status": lambda text: console.print(
        screen(_status(text), [Risk(text, text, text)]), soft_wrap=False
    ),
    "dead-letters show": lambda text: dead_letters._print_field("explanation", text),
    "replay": lambda text: replay_run.print_job(_job(text)),
    "audit": lambda text: audit_screen.print_audit(
        _report(text), AuditSpan(DAY, DAY, None), as_json=False
    ),
    "tail": tail._print,
    "source check": _checked,
    "source try": _try,
    "a broken source": lambda text: say_broken([text]),
    "an error": lambda text: say_error(PipelineError(text), "mozdef-ef"),
    "faults": lambda text: say_error(WrongSettingsError(Fault(text, text, text)), "mozdef-ef"),
}
#: What a terminal shows while something goes on; a file gets nothing of it.
LIVE: dict[str, Callable[[str], None]] = {"a spinner": _spinner, "a progress bar": _bar}
#: What may have lines that are not the house's: each begins with a mark, or is a stack trace.
OF_SEVERAL_LINES: dict[str, Callable[[str], None]] = {
    "lines": console.lines,
    "text for a file": print_text,
    "dead-letters show, a body": lambda text: dead_letters._print_field("body", text),
    "replay --dry-run": lambda text: replay_dry._print(_dry(text)),
    "synthesis": lambda text: say_error(AssemblyError(text), "mozdef-ef"),
    "a stack trace": lambda text: tell_uncaught(ValueError, ValueError(text), None),
}


class Terminal(io.StringIO):
    """Takes what UTF-8 can say, as a terminal does."""

    def write(self, text: str) -> int:
        text.encode("utf-8")
        return super().write(text)


@pytest.fixture(params=[False, True], ids=["in a file", "in colours"], autouse=True)
def coloured(request: pytest.FixtureRequest) -> Iterator[bool]:
    with pytest.MonkeyPatch.context() as patch:
        for one in (console, errors):
            patch.setenv("TERM", "xterm")
            patch.setattr(one, "_width", 30_000)
            patch.setattr(one, "_height", 400)
            patch.setattr(one, "_force_terminal", request.param)
            patch.setattr(one, "is_interactive", request.param)
            patch.setattr(one, "_color_system", ColorSystem.TRUECOLOR if request.param else None)
        yield request.param


def shown(render: Callable[[str], None], text: str) -> str:
    terminal = Terminal()
    with redirect_stdout(terminal), redirect_stderr(terminal):
        render(text)
    return terminal.getvalue()


@pytest.mark.parametrize("name", [*RENDERERS, *OF_SEVERAL_LINES])
@settings(max_examples=15, suppress_health_check=HEALTHY)
@given(text=hostile())
def test_a_terminal_gets_characters_that_show_and_the_whole_text(
    name: str, text: str, *, coloured: bool
) -> None:
    render = {**RENDERERS, **OF_SEVERAL_LINES}[name]
    raw = shown(render, text)
    # In a file, tabs part the cells of a table.
    told = uncoloured(raw) if coloured else raw.replace("\t", " ")
    assert offending(told) == []
    assert _has_words(told)


@settings(max_examples=30, deadline=None)
@given(text=hostile())
def test_no_cell_parts_into_two(text: str) -> None:
    lines = FittingTable(text, (text, "b"), [(text, text)] * 2).tab_separated().split("\n")
    assert [line.count("\t") for line in lines] == [1, 1, 1, 0]


@pytest.mark.parametrize("name", LIVE)
@settings(max_examples=15, suppress_health_check=HEALTHY)
@given(text=hostile())
def test_what_goes_on_is_shown_as_text(name: str, text: str, *, coloured: bool) -> None:
    told = shown(LIVE[name], text)
    if not coloured:
        assert told.strip() == ""
        return
    # What moves the cursor, so that it is shown in its own place.
    for move in ("\x1b[?25l", "\x1b[?25h", "\x1b[2K", "\x1b[1A", "\r"):
        told = told.replace(move, "")
    assert offending(uncoloured(told)) == []
    assert _has_words(uncoloured(told))


def _has_words(told: str) -> bool:
    return re.search(".*?".join(WORDS), told, re.DOTALL) is not None


@pytest.mark.parametrize("name", RENDERERS)
@settings(max_examples=15, suppress_health_check=HEALTHY)
@given(text=hostile())
def test_text_of_others_makes_no_line_of_its_own(name: str, text: str) -> None:
    render = RENDERERS[name]
    # As long: the title of a table wraps where the table is narrow.
    benign = "b" * len(text)
    assert shown(render, text).count("\n") == shown(render, benign).count("\n")


@pytest.mark.parametrize("name", [*RENDERERS, *OF_SEVERAL_LINES])
def test_markup_is_shown_as_it_is(name: str) -> None:
    render = {**RENDERERS, **OF_SEVERAL_LINES}[name]
    text = " and ".join(MARKUP)
    told = uncoloured(shown(render, text))
    # JSON has its own backslashes.
    assert text in told or text.replace("\\", "\\\\") in told


def read_from_json(document: dict[str, Any]) -> Any:
    """What a reader of JSON has: two escapes of surrogates side by side are one character there."""
    return json.loads(json.dumps(document))


@settings(max_examples=100, suppress_health_check=HEALTHY)
@given(text=hostile(), indent=st.booleans())
@example(text="\ud800\udcff", indent=False)
def test_json_says_the_same_and_fits_a_terminal(text: str, indent: bool) -> None:
    told = shown(lambda one: print_json({one: [one]}, indent=indent), text)
    assert offending(told) == []
    assert indent or told.count("\n") == 1
    assert json.loads(told) == read_from_json({text: [text]})


@settings(max_examples=50, suppress_health_check=HEALTHY)
@given(text=hostile(), plain=st.booleans(), indent=st.sampled_from([None, 1, "\t", "\r\n"]))
@example(text="\ud800\udcff", plain=True, indent=None)
def test_tail_prints_an_event_as_one_line_of_json(
    text: str, *, plain: bool, indent: int | str | None
) -> None:
    # A queue holds no lone surrogate, but the escape of one.
    text = text if plain else text.encode(errors="replace").decode()
    event = {"summary": text}
    told = shown(tail._print, json.dumps(event, ensure_ascii=plain, indent=indent))
    assert offending(told) == []
    assert told.count("\n") == 1
    assert json.loads(told) == read_from_json(event)


@settings(max_examples=30, suppress_health_check=HEALTHY)
@given(text=hostile())
def test_what_was_made_past_the_renderer_is_written_as_text(text: str, *, coloured: bool) -> None:
    link = Style(bold=True, link="https://attacker.example")
    raw = shown(lambda one: console.print(Text(one, style=link)), text)
    told = uncoloured(raw) if coloured else raw
    assert offending(told) == []
    assert _has_words(told)
