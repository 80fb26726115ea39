"""`mozdef-ef source try`: what would happen to a payload."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from toolbox.cli.captured_options import secrets_given
from toolbox.cli.source_options import (
    AskSecret,
    HostOption,
    Json,
    SourcesOption,
    load_one,
    parse_headers,
)
from toolbox.terminal.output import DOES_NOT_HOLD, console, print_json

if TYPE_CHECKING:
    from toolbox.sources.trial import TriedWay


def try_file(
    name: Annotated[str, typer.Argument(help="A source, such as github.")],
    file: Annotated[Path | None, typer.Argument(help="The body of a request.")] = None,
    *,
    captured: Annotated[
        list[Path] | None,
        typer.Option(
            help="In the place of a body: requests that were caught, as a HAR file, a curl command "
            "or raw HTTP; may be repeated."
        ),
    ] = None,
    host: HostOption = "",
    header: Annotated[
        list[str] | None,
        typer.Option(help="A header, such as 'X-GitHub-Event: push'; may be repeated."),
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(help="The sender's secret, or a line for each: the proof is checked with it."),
    ] = None,
    ask_secret: AskSecret = False,
    sign: Annotated[
        bool,
        typer.Option(
            "--sign",
            help="Sign it here, with the secret that was given or with one that is made up.",
        ),
    ] = False,
    sources: SourcesOption = None,
    as_json: Json = False,
) -> None:
    """Take a request through the pipeline's own steps, and say at each what comes of it.

    Nothing needs to run, and nothing is sent. A signature or token is checked where its secret is
    given. Without one, or where a body was given alone, the body is judged and the proof is not:
    nothing is signed here unless --sign says so.

    Exit status: 0 it would be delivered (or answered, or ignored), 1 it would be turned away.
    """
    from settings.source.loader import SourceError
    from toolbox.sources.rehearsal import compiled
    from toolbox.sources.trial import take_trial
    from toolbox.sources.trial_requests import read_body, request_of_body, requests_captured

    source = load_one(name, sources)
    if (file is None) == (not captured):
        raise SourceError("give either the file of a body or --captured")
    secrets = secrets_given(secret_file, ask=ask_secret)
    tried = (
        requests_captured(source, captured, host, secrets, sign=sign)
        if captured
        else [request_of_body(source, read_body(file), parse_headers(header), secrets, sign=sign)]
        if file
        else []
    )
    documents, good = [], True
    with compiled({name: source}) as catalog:
        for one in tried:
            trial = take_trial(source, catalog, one)
            good &= trial.fine
            documents.append(trial.document())
            if not as_json:
                _print(trial)
    if as_json:
        print_json(documents[0] if len(documents) == 1 else {"requests": documents})
    if not good:
        raise typer.Exit(DOES_NOT_HOLD)


def _print(trial: TriedWay) -> None:
    from toolbox.sources.trial import MOZDEF_EVENT

    if trial.label:
        console.print(trial.label)
    for label, what in trial.lines():
        line = f"{label:<18} {what}".rstrip()
        if label == MOZDEF_EVENT:
            console.lines(line)
        else:
            console.print(line)
