"""`mozdef-ef listen`: catches what a sender really sends, for `source new --captured`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import Annotated

import typer

from toolbox.cli.captured_options import secrets_given
from toolbox.cli.source_options import AskSecret, SourcesOption, folders
from toolbox.sources.captured.request import MOST_REQUESTS


def listen(
    name: Annotated[str, typer.Argument(help="The source: one that there is, or a new one.")],
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Stays the same, for a tunnel; 0: a free one.")
    ] = 8899,
    address: Annotated[
        str, typer.Option(help="Of this machine; default: what only this machine reaches.")
    ] = "127.0.0.1",
    directory: Annotated[
        Path | None, typer.Option(help="Where the captures go; default: captured/NAME.")
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, max=MOST_REQUESTS, help="End after so many requests.")
    ] = MOST_REQUESTS,
    minutes: Annotated[
        float, typer.Option(min=0.001, max=1440, help="End after so many minutes.")
    ] = 60.0,
    secret_file: Annotated[
        Path | None,
        typer.Option(help="The sender's secret, where its handshake takes one; a line each."),
    ] = None,
    ask_secret: AskSecret = False,
    sources: SourcesOption = None,
) -> None:
    """Catch a sender's requests as they are sent, and answer what it asks before it sends events.

    The address is http://127.0.0.1:PORT/NAME. Open a tunnel to the port, and give the sender the
    tunnel's address and /NAME. Each request is kept in a file of its own, with headers in their
    order and its bytes, for `source new NAME --captured`. Nothing is on the stream.

    Handshakes are answered as the source NAME would, or, of a new one, where they can be told:
    challenges in a query, a body or a header that is known for it. Events are answered with 200.

    Exit status: 0 something was caught, 1 nothing was.
    """
    from toolbox.cli.listen_run import catch, check_name

    check_name(name)
    catch(
        name,
        folders(sources),
        secrets_given(secret_file, ask=ask_secret),
        directory,
        place=(address, port),
        count=count,
        seconds=minutes * 60,
    )
