"""`mozdef-ef source new`: a source folder from samples of what its sender sends."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from toolbox.cli.captured_options import comments_of, secrets_given
from toolbox.cli.source_check import (
    check_folders,
    print_checked,
    print_warnings,
    warn_folders,
    warnings_document,
)
from toolbox.cli.source_options import (
    AskSecret,
    HostOption,
    Json,
    folder_of,
    parse_headers,
    private_sources,
)
from toolbox.project.finding import find_project
from toolbox.project.next_steps import next_step
from toolbox.terminal.output import DOES_NOT_HOLD, console, print_json, say_error

if TYPE_CHECKING:
    from toolbox.sources.captured.proposal import CapturedProposal
    from toolbox.sources.inference import Found
    from toolbox.sources.scaffolding import Scaffold


class SenderProof(StrEnum):
    """How the sender proves who it is."""

    TOKEN = "token"  # noqa: S105 - a word, not a token
    HMAC = "hmac"


def new(
    name: Annotated[str, typer.Argument(help="The source's name; it is the route: POST /NAME.")],
    *,
    sample: Annotated[
        list[Path] | None,
        typer.Option(help="A request's body, as the sender sends it; repeat it."),
    ] = None,
    captured: Annotated[
        list[Path] | None,
        typer.Option(
            help="In the place of --sample: requests that were caught, as a HAR file, a curl "
            "command or raw HTTP; a folder of them, or repeat it."
        ),
    ] = None,
    host: HostOption = "",
    secret_file: Annotated[
        Path | None,
        typer.Option(
            help="With --captured: the sender's secret, to try schemes with; a line each."
        ),
    ] = None,
    ask_secret: AskSecret = False,
    keep_secret: Annotated[
        bool,
        typer.Option(
            "--keep-secret",
            help="It is a test secret: keep it in the samples, with the requests as they were "
            "sent, so that each check has them.",
        ),
    ] = False,
    like: Annotated[
        str | None,
        typer.Option(help="A source to start from, such as zoom: its way in, proof and headers."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="One line; default: the name.")] = None,
    authentication: Annotated[
        SenderProof, typer.Option(help="token: a fixed text in a header. hmac: a signed body.")
    ] = SenderProof.TOKEN,
    auth_header: Annotated[
        str, typer.Option(help="Header of the token or signature, in the sender's spelling.")
    ] = "",
    auth_prefix: Annotated[
        str, typer.Option(help="What stands before it there, such as 'Bearer ' or 'sha256='.")
    ] = "",
    header: Annotated[
        list[str] | None,
        typer.Option(help="A header of each sample, such as 'X-Event: push'; may be repeated."),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(help="Where the folder goes; default: the configuration's private sources."),
    ] = None,
    enabled: Annotated[
        bool,
        typer.Option("--enable", help="Add it to 'sources' in the file of the stage as well."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the folder of a new source: settings with comments, schemas and samples.

    What the samples cannot tell is a proposal, marked CHECK in source.yaml. The more samples, and
    the more kinds of them, the better it is: a delivery id takes two about one thing, such as its
    creation and its deletion. Nothing that is there already is changed.

    Caught requests (--captured) say more: the scheme, the headers, the way in. With the sender's
    secret schemes are tried until one fits the signature, which proves it. What can be a secret is
    left out of the folder, and said.

    Exit status: 0 written, and its samples fit; 1 written, and some do not, or it is not enabled; 2
    nothing written.
    """
    from settings.source.loader import available_sources, load_source
    from toolbox.sources.captured.proposal import propose
    from toolbox.sources.captured.reading import read_captures
    from toolbox.sources.scaffolding import Choices, ScaffoldError, read_given, scaffold

    if bool(sample) == bool(captured):
        raise ScaffoldError("give either --sample or --captured")
    caught: CapturedProposal | None = None
    if captured:
        secrets = secrets_given(secret_file, ask=ask_secret)
        caught = propose(read_captures(captured, host), secrets, keep_secret=keep_secret)
    choices = Choices(
        title=title or name,
        authentication="hmac" if authentication is SenderProof.HMAC else "token",
        header=auth_header,
        prefix=auth_prefix,
        headers=parse_headers(header),
        captured=caught.settings if caught else {},
        evidence=comments_of(caught) if caught else {},
    )
    elsewhere = f" --sources {shlex.quote(str(directory))}" if directory else ""
    directory = directory or private_sources()
    template = load_source(folder_of(like, available_sources(directory))) if like else None
    given = caught.given if caught else read_given(sample or [])
    made = scaffold(name, given, directory, choices, template)
    checked, warnings = check_folders({name: made.folder}), warn_folders({name: made.folder})
    is_enabled = enabled and _enable(name)
    if as_json:
        mismatches = {"mismatches": sum(not one.fits for one in checked)}
        seen = {"evidence": [list(one) for one in caught.evidence]} if caught else {}
        print_json(_document(made, caught) | seen | mismatches | warnings_document(warnings))
    else:
        _print(made, caught)
        print_checked(checked)
        print_warnings(warnings)
        _print_next(name, made, elsewhere, enabled=is_enabled)
    if any(not one.fits for one in checked) or is_enabled != enabled:
        raise typer.Exit(DOES_NOT_HOLD)


def _enable(name: str) -> bool:
    from toolbox.sources.enabling import enable
    from toolbox.sources.scaffolding import ScaffoldError

    try:
        enable(find_project().stage_file, name)
    except ScaffoldError as error:
        say_error(error, "mozdef-ef")
        return False
    return True


def _document(made: Scaffold, caught: CapturedProposal | None) -> dict[str, object]:
    found = made.proposal
    return {
        "folder": str(made.folder),
        "files": [str(path.relative_to(made.folder)) for path in _files(made.folder)],
        "event_type": _path(found.event_type),
        "delivery_id": _path(found.delivery_id),
        "unproven_delivery_id": _path(found.identity.unproven),
        "timestamp": _path(found.timestamp),
        "split": found.split,
        "notes": [*(caught.notes if caught else ()), *made.notes],
    }


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _path(found: Found | None) -> str | None:
    return found.path if found else None


def _print(made: Scaffold, caught: CapturedProposal | None) -> None:
    found = made.proposal
    console.print(f"{made.folder}: {len(_files(made.folder))} files")
    in_header = set()
    by_body = "path" in made.settings.get("delivery_id", {})
    for label, text in caught.evidence if caught else ():
        if label == "delivery id" and by_body:
            continue  # the bodies prove a better one
        console.print(f"  {label:<12} {text}")
        in_header.add(label)
    none = {
        "event type": "none found; set event_type if events have types",
        "delivery id": _no_delivery_id(found.identity.unproven),
        "timestamp": "none found; the time of arrival is taken",
    }
    for label, what in (
        ("event type", found.event_type),
        ("delivery id", found.delivery_id),
        ("timestamp", found.timestamp),
    ):
        if what is not None or label not in in_header:
            console.print(f"  {label:<12} {_shown(what, none[label])}")
    if found.split is not None:
        console.print(f"  {'split':<12} each element of {found.split} is an event")
    for note in (*(caught.notes if caught else ()), *made.notes):
        console.print(f"  {'note':<12} {note}")


def _no_delivery_id(unproven: Found | None) -> str:
    if unproven is None:
        return "none found; the body's hash stands for it"
    return (
        f"none proven; the body's hash stands for it. To prove {unproven.path}, give two samples "
        "about one thing"
    )


def _shown(found: Found | None, none: str) -> str:
    if found is None:
        return none
    others = f"; or {', '.join(found.others)}?" if found.others else ""
    return f"{found.path}, such as {found.values[0][:60]}{others}"


def _by_hand(name: str, stage: Path) -> str:
    if stage.is_file():
        return f"add {name} to 'sources' in {stage}"
    return f"write two lines to {stage}: 'service: ingest' and 'sources: [{name}]'"


def _has_secret(folder: Path) -> bool:
    from settings.source.loader import SourceError, read_source_settings

    try:
        return bool(read_source_settings(folder).parameters)
    except SourceError:  # the check said so
        return True


def _print_next(name: str, made: Scaffold, elsewhere: str, *, enabled: bool) -> None:
    stage = find_project().stage_file
    lines = [
        f"Read {made.folder}/source.yaml: what is marked CHECK is a guess.",
        "Look for secrets and for people's data in the samples before you commit them.",
        *([f"{stage} has {name} among its sources now."] if enabled else []),
        "Then:",
        f"  {next_step(f'source check {name}')}{elsewhere}",
        f"  {next_step(f'source show {name}')}{elsewhere}",
        *([] if enabled else [f"  {_by_hand(name, stage)}"]),
        f"  {next_step('local up')}",
    ]
    if any("learn" in rule for rule in made.settings.get("handshake", [])):
        lines += [
            f"  {next_step(f'secret learn {name}')}{elsewhere}",
            "and only then enter the address at the sender, which says its secret once.",
        ]
    elif _has_secret(made.folder):
        lines += [
            f"  {next_step(f'secret rotate {name}')}{elsewhere}",
            "for the sender's own secret, in the place of the one that was made up.",
        ]
    for line in lines:
        console.print(line)
