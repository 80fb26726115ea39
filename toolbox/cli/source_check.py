"""`mozdef-ef source check`: runs samples, and compares how they end."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolbox.cli import completing
from toolbox.cli.source_options import Json, SourcesOption, folder_of, folders
from toolbox.project.options import completed
from toolbox.terminal.nearest import unknown
from toolbox.terminal.output import DOES_NOT_HOLD, console, errors, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolbox.sources.checking import CheckedSample
    from toolbox.sources.checking_paths import PathWarning


#: With title, borders and the prompt they fit on 24 rows.
_MOST_LISTED = 16
_COLUMNS = ("source", "sample", "expected", "actual", "what differs")
_OLD = "is in the words of version 1, which count as before; 'source upgrade' prints the new ones"


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Default: every source.",
            autocompletion=completed(completing.sources),
        ),
    ] = None,
    *,
    type_: Annotated[
        str,
        typer.Option(
            "--type",
            help="Only samples with events of this type, such as push.",
            autocompletion=completed(completing.types),
        ),
    ] = "",
    every: Annotated[
        bool, typer.Option("--all", help="List every sample, also where there are many.")
    ] = False,
    sources: SourcesOption = None,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="Write the MozDef events of each delivered sample to <sample>.mozdef.json beside "
            "it; later checks compare with that.",
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="A warning makes the exit status 1, as a misfit does."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Run samples through the pipeline's own steps: door, envelope, signature, schema, MozDef.

    Nothing needs to run, and nothing is sent. A sample fits when it ends as its 'expect' says, when
    no other sample of its source is the same event, and when its MozDef event keeps MozDef's
    contract and equals <sample>.mozdef.json, where there is such a file. All samples, with those of
    every other source, have to fit one index of MozDef's. What somebody else signed (as_sent) is
    also tried with a wrong secret and with a changed body.

    Two things are warnings, and change the exit status with --strict alone: a path of source.yaml
    that no sample has, and a source that signs of which no sample was signed by somebody else.

    What does not fit is listed first. Where there are many samples, those that fit are counted.

    Exit status: 0 every sample fits, 1 some do not, or there is no such source or type.
    """
    from toolbox.sources.index_checking import conflict_rows, conflicts

    found = folders(sources)
    chosen = _chosen(names or [], found)
    with errors.status("checking the samples"):
        checked, warnings = check_folders(chosen, update=update), warn_folders(chosen)
        others = {name: folder for name, folder in found.items() if name not in chosen}
        checked += conflict_rows(conflicts(checked, others))
    if type_:
        checked = of_type(checked, type_)
    wrong = [one for one in checked if not one.fits]
    if as_json:
        print_json(_document(checked) | warnings_document(warnings))
    else:
        print_checked(checked, every=every)
        print_warnings(warnings)
    if wrong or (strict and warnings):
        raise typer.Exit(DOES_NOT_HOLD)


def _chosen(names: Sequence[str], found: dict[str, Path]) -> dict[str, Path]:
    return {name: folder_of(name, found) for name in names} if names else found


def check_folders(chosen: dict[str, Path], *, update: bool = False) -> list[CheckedSample]:
    """Check source folders one by one; a folder that is wrong is a mismatch of its own."""
    from settings.source.loader import SourceError, load_source
    from toolbox.sources.checking import CheckedSample, check_sources

    checked: list[CheckedSample] = []
    for name, folder in sorted(chosen.items()):
        try:
            found = check_sources({name: load_source(folder)}, update=update)
        except SourceError as error:
            faults = tuple(map(str, error.faults))
            checked.append(CheckedSample(name, "-", "a sound folder", "a fault", faults))
            continue
        if not any(one.expected.startswith("delivered") for one in found):
            why = f"{folder}/samples: no sample that is delivered, so nothing is shown to work"
            found.append(CheckedSample(name, "-", "delivered", "no sample", (why,)))
        checked += found
    return checked


def warn_folders(chosen: dict[str, Path]) -> list[PathWarning]:
    """Return what no sample of a folder proves; a folder that is wrong is told by its check."""
    from settings.source.admission import UNPROVEN
    from settings.source.loader import SourceError, load_source
    from toolbox.sources.checking_paths import PathWarning, unseen_paths
    from toolbox.sources.verification import unverified

    warnings: list[PathWarning] = []
    for _, folder in sorted(chosen.items()):
        with suppress(SourceError):
            source = load_source(folder)
            if source.settings.is_old:
                warnings.append(PathWarning(source.name, "handshake", _OLD))
            if source.settings.proof == "none":
                warnings.append(PathWarning(source.name, "authentication.type", UNPROVEN))
            warnings += [*unverified(source), *unseen_paths(source)]
    return warnings


def print_warnings(warnings: Sequence[PathWarning]) -> None:
    """Print a line for each."""
    for one in warnings:
        text = f"{one.source}, {one.key}: {one.text}"
        console.print(text, style="yellow")


def warnings_document(warnings: Sequence[PathWarning]) -> dict[str, Any]:
    """Return them for programs; nothing where there are none."""
    found = [{"source": one.source, "key": one.key, "text": one.text} for one in warnings]
    return {"warnings": found} if found else {}


def of_type(checked: Sequence[CheckedSample], wanted: str) -> list[CheckedSample]:
    """Return the samples that have events of a type.

    Raises
    ------
    NotFoundError
        When none has.
    """
    found = [one for one in checked if wanted in one.types]
    if not found:
        raise unknown("type of a sample", wanted, {kind for one in checked for kind in one.types})
    return found


def print_checked(checked: Sequence[CheckedSample], *, every: bool = False) -> None:
    """Print what does not fit, and then what fits; the differences of MozDef events below it.

    Parameters
    ----------
    every : bool
        List what fits also where it would fill more than a screen.
    """
    wrong = [one for one in checked if not one.fits]
    found = f"{len(wrong)} do not fit" if wrong else "all fit"
    title = f"{len(checked)} sample{'' if len(checked) == 1 else 's'}, {found}"
    fit = [one for one in checked if one.fits]
    listed = [*wrong, *(fit if every or len(checked) <= _MOST_LISTED else ())]
    if listed:
        table = {column: [_cell(one, column) for one in listed] for column in _COLUMNS}
        # What says nothing takes room from what does.
        idle = {"source"} if len({one.source for one in checked}) == 1 else set[str]()
        idle |= set() if any(table["what differs"]) else {"what differs"}
        shown = [name for name in _COLUMNS if name not in idle]
        print_table(title, shown, zip(*(table[name] for name in shown), strict=True))
    if len(listed) < len(checked):
        counts = Counter(one.actual for one in fit).most_common()
        ended = ", ".join(f"{how} {number}" for how, number in counts)
        console.print(f"{'others' if listed else title}: {ended} (--all lists them)")
    for one in checked:
        if one.diff:
            console.print()
            console.print(f"{one.source}, {one.sample}:")
            console.lines(one.diff)


def _cell(one: CheckedSample, column: str) -> str:
    if column == "what differs":
        return "; ".join(one.faults) or ("the MozDef event differs" if one.diff else "")
    return str(getattr(one, column))


def _document(checked: Sequence[CheckedSample]) -> dict[str, Any]:
    return {
        "samples": len(checked),
        "mismatches": sum(not one.fits for one in checked),
        "results": [
            {
                "source": one.source,
                "sample": one.sample,
                "fits": one.fits,
                "expected": one.expected,
                "actual": one.actual,
                "faults": list(one.faults),
                "explanation": one.explanation,
                "diff": one.diff,
            }
            for one in checked
        ],
    }
