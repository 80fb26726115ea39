"""`mozdef-ef secret learn`: lets the receiver keep the secret that a sender says once."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from settings.source.loader import SourceError
from toolbox.cli.secret_parameter import Parameter, ParameterError
from toolbox.cli.source_options import SourcesOption, load_one
from toolbox.deployments import DEFAULT_STATE, Stack, State, find_deployment
from toolbox.terminal.nearest import unknown
from toolbox.terminal.output import console

_SPAN = re.compile(r"([1-9][0-9]?)(m|min|h)?")
_LONGEST_MINUTES = 60


def learn(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A source with 'learn'.")],
    *,
    span: Annotated[str, typer.Option("--for", help="How long, such as 10m; 60m at most.")] = "10m",
    stop: Annotated[bool, typer.Option("--stop", help="Learn nothing from now on.")] = False,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    sources: SourcesOption = None,
) -> None:
    """Let a sender say its secret, for a few minutes; enter the address at the sender then.

    Whoever posts such a request in that time is believed, so keep it short, and look with
    'secret rotate' and the receiver's log that no more than your own was learned. A source can have
    ten secrets, one for each webhook.
    """
    loaded = load_one(source, sources)
    if not any(rule.learn for rule in loaded.settings.handshake_rules):
        raise SourceError(f"{source}: no rule of its handshake has 'learn'")
    where = find_deployment(state, stack)
    name = where.parameters.get(source)
    if name is None:
        raise unknown(f"source of {where.name}", source, where.parameters)
    parameter = Parameter(where.client("ssm"), f"{name.rpartition('/')[0]}/learn_until")
    until = int(time.time()) + (0 if stop else 60 * minutes_of(span))
    held = parameter.read()
    if held is None:
        parameter.create(str(until))
    else:
        parameter.write([str(until)], held)
    if stop:
        console.print(f"{source}: nothing is learned any more, in 15 seconds at the latest")
        return
    moment = datetime.fromtimestamp(until, UTC).strftime("%H:%M:%S")
    console.print(
        f"{source}: a secret is learned until {moment} UTC. Wait 15 seconds, then enter the "
        "address at the sender."
    )


def minutes_of(span: str) -> int:
    """Read a time such as `10m` or `1h`.

    Raises
    ------
    ParameterError
        When it is none, or longer than an hour.
    """
    found = _SPAN.fullmatch(span.strip())
    minutes = int(found[1]) * (60 if found[2] == "h" else 1) if found else 0
    if not 1 <= minutes <= _LONGEST_MINUTES:
        raise ParameterError(f"--for: {span!r} is no time from 1m to {_LONGEST_MINUTES}m")
    return minutes
