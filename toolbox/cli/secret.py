"""`mozdef-ef secret`: writes the SSM parameters that hold the sources' secrets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from local import endpoints
from pipeline.runtime.secret_store import MAX_AGE_SECONDS, REFRESH_AFTER_SECONDS
from toolbox.cli.secret_forms import SecretFormError
from toolbox.cli.secret_parameter import Held, Parameter, ParameterError
from toolbox.cli.secret_times import AUTHORIZER_SECONDS, NeededSpan, in_words, spans_of, total
from toolbox.cli.secret_value import obtain
from toolbox.cli.source_options import SourceName, SourcesOption, load_one
from toolbox.deployments import DEFAULT_STATE, RunningDeployment, Stack, State, find_deployment
from toolbox.project.next_steps import next_step
from toolbox.terminal.nearest import unknown
from toolbox.terminal.output import DOES_NOT_HOLD, console, errors

if TYPE_CHECKING:
    from pathlib import Path

    from settings.source.loader import LoadedSource
    from toolbox.terminal.console import TextConsole

Stdin = Annotated[bool, typer.Option("--stdin", help="Read the value from standard input.")]
Generate = Annotated[bool, typer.Option("--generate", help="Make a strong value here.")]
Print = Annotated[
    bool, typer.Option("--print", help="Print what --generate made, once, to give the sender.")
]
Kind = Annotated[
    str | None,
    typer.Option(
        "--parameter",
        help="Which of a source's parameters, where it has two: auth_token is that of a handshake.",
    ),
]
#: Kinesis keeps a record so long where the stream cannot be asked: the default of this project.
_RETENTION_HOURS = 168


def set_secret(
    source: SourceName,
    *,
    stdin: Stdin = False,
    generated: Generate = False,
    print_it: Print = False,
    replace_it: Annotated[
        bool,
        typer.Option("--replace", help="Throw away all values that are there."),
    ] = False,
    kind: Kind = None,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    sources: SourcesOption = None,
) -> None:
    """Write the first secret of a source: its token, signing secret or API credential.

    The value comes from a prompt that shows nothing, from --stdin or from --generate, and never
    from an argument, which a shell would keep. A parameter that has a value is left alone: for a
    new value in its place 'secret rotate' is meant, after which both serve for a while.

    Exit status: 0 written, 1 there is a value already, 2 the value cannot be this source's.
    """
    loaded, where, parameter = _find(source, sources, state, stack, kind)
    held = parameter.read()
    if held is not None and not replace_it:
        _refuse_second(parameter)
    value = obtain(loaded, parameter.kind, stdin=stdin, generated=generated)
    if held is not None:
        parameter.write([value], held)
    elif not parameter.create(value, where.key_arn):
        _refuse_second(parameter)
    _remember_locally(where, state, parameter, loaded.name, [value])
    console.print(f"{parameter.name}: written to {where.name}")
    _hand_over(parameter, where, value if generated else "", print_it=print_it)
    if held is not None:
        console.print(
            f"Functions may go on with the old value for {in_words(MAX_AGE_SECONDS)}; what was "
            "signed with it and is not processed by then is rejected.",
        )


def _refuse_second(parameter: Parameter) -> None:
    step = next_step(f"secret rotate {parameter.words}")
    errors.print(
        f"mozdef-ef: {parameter.name}: has a value; '{step}' puts a new one before it, "
        "--replace throws it away",
        style="red",
    )
    raise typer.Exit(DOES_NOT_HOLD)


def rotate(
    source: SourceName,
    *,
    stdin: Stdin = False,
    generated: Generate = False,
    print_it: Print = False,
    kind: Kind = None,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    sources: SourcesOption = None,
) -> None:
    """Put a new secret before those that are there, which stay: all of them are accepted.

    A source can have ten: the former ones while a rotation lasts, or one for each webhook of a
    sender that gives each its own. 'secret retire' drops one; what is printed says when that may
    be.
    """
    loaded, where, parameter = _find(source, sources, state, stack, kind)
    held = _held(parameter)
    value = obtain(loaded, parameter.kind, stdin=stdin, generated=generated)
    if value in held.values:
        which = "the current value" if value == held.values[0] else "one of its values"
        raise SecretFormError(f"{source}: this is {which}; nothing was written")
    values = [value, *held.values]
    parameter.write(values, held)
    _remember_locally(where, state, parameter, loaded.name, values)
    console.print(f"{parameter.name}: rotated in {where.name}")
    _hand_over(parameter, where, value if generated else "", print_it=print_it)
    if len(values) > 2:
        console.print(f"{len(values)} values are accepted now.")
    _print_plan(loaded, spans_of(loaded, _retention(where)), parameter)


def retire(
    source: SourceName,
    *,
    now: Annotated[
        bool, typer.Option("--now", help="Before the time has passed: the old value is known.")
    ] = False,
    number: Annotated[
        int | None,
        typer.Option(
            "--value", min=1, help="Which, from the newest (1) on; needed where there are three."
        ),
    ] = None,
    kind: Kind = None,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    sources: SourcesOption = None,
) -> None:
    """Drop a former secret of a source, once nothing can be signed with it any more.

    Of two it is the older one. The time counts from the rotation: from when the parameter was last
    written. If the sender was switched later, wait that much longer.

    Exit status: 0 it is gone, 1 it is too early, or there is none.
    """
    loaded, where, parameter = _find(source, sources, state, stack, kind)
    held = _held(parameter)
    if len(held.values) < 2:
        errors.print(f"mozdef-ef: {parameter.name}: there is no previous value", style="red")
        raise typer.Exit(DOES_NOT_HOLD)
    dropped = _chosen(parameter, held, number)
    spans = spans_of(loaded, _retention(where))
    due = held.modified + timedelta(seconds=total(spans))
    left = (due - datetime.now(UTC)).total_seconds()
    if left > 0 and not now:
        errors.print(
            f"mozdef-ef: {parameter.name}: too early by {in_words(left)}: rotated "
            f"{_moment(held.modified)}, and the old value may be needed until {_moment(due)}",
            style="red",
        )
        _print_spans(spans, errors)
        errors.print("With --now it goes at once, as it must when it is known.")
        raise typer.Exit(DOES_NOT_HOLD)
    values = [one for place, one in enumerate(held.values, start=1) if place != dropped]
    parameter.write(values, held)
    _remember_locally(where, state, parameter, loaded.name, values)
    cached = MAX_AGE_SECONDS + (AUTHORIZER_SECONDS if loaded.settings.ingest == "direct" else 0)
    console.print(
        f"{parameter.name}: value {dropped} of {len(held.values)} is gone. Caches may accept it "
        f"for another {in_words(cached)}.",
    )


def _chosen(parameter: Parameter, held: Held, number: int | None) -> int:
    """Return the place of the value that goes, from 1 on."""
    if number is None and len(held.values) == 2:
        return 2
    if number is None or number > len(held.values):
        raise ParameterError(
            f"{parameter.name}: has {len(held.values)} values; say with --value which one goes, "
            "from 1 (the newest) on"
        )
    return number


def _find(
    source: str, sources: Path | None, state: Path, stack: str | None, kind: str | None
) -> tuple[LoadedSource, RunningDeployment, Parameter]:
    loaded = load_one(source, sources)
    where = find_deployment(state, stack)
    name = where.parameters.get(source)
    if name is None:
        raise unknown(f"source of {where.name}", source, where.parameters)
    if kind is not None and kind not in loaded.settings.parameters:
        known = ", ".join(loaded.settings.parameters) or "none"
        raise ParameterError(f"{source}: has no parameter {kind}; it has {known}")
    name = f"{name.rpartition('/')[0]}/{kind}" if kind else name
    return loaded, where, Parameter(where.client("ssm"), name)


def _held(parameter: Parameter) -> Held:
    held = parameter.read()
    if held is None or not held.values:
        step = next_step(f"secret set {parameter.words}")
        raise ParameterError(f"{parameter.name}: has no value yet; '{step}' writes the first")
    return held


def _remember_locally(
    where: RunningDeployment, state: Path, parameter: Parameter, source: str, values: list[str]
) -> None:
    """Keep `endpoints.json` true, from which 'send' takes the secret to sign with."""
    if where.local:
        known = endpoints.read(state)
        own = {**known.parameters.get(source, {}), parameter.kind: "\n".join(values)}
        parameters = {**known.parameters, source: own}
        replace(known, parameters=parameters).write(state if state.is_dir() else state.parent)


def _hand_over(
    parameter: Parameter, where: RunningDeployment, made: str, *, print_it: bool
) -> None:
    if made and print_it:
        console.print(f"The value, for the sender: {made}")
    elif made:
        how = (
            "'parameters' in endpoints.json"
            if where.local
            else f"aws ssm get-parameter --with-decryption --name {parameter.name}"
        )
        console.print(f"The value was made here and not shown. Read it with: {how}")


def _retention(where: RunningDeployment) -> int:
    try:
        found = where.client("kinesis").describe_stream_summary(StreamName=where.stream)
        return int(found["StreamDescriptionSummary"]["RetentionPeriodHours"])
    except (BotoCoreError, ClientError, KeyError):
        return _RETENTION_HOURS


def _print_plan(loaded: LoadedSource, spans: list[NeededSpan], parameter: Parameter) -> None:
    if loaded.settings.poll is None:
        console.print(
            f"Now give the sender the new value, {REFRESH_AFTER_SECONDS:.0f} seconds from now or "
            "later; both are accepted. Counted from the switch, the old one is needed for up to "
            f"{in_words(total(spans))}:",
        )
    else:
        console.print(
            f"The old credential may be deleted at the API after {in_words(total(spans))}:",
        )
    _print_spans(spans, console)
    then = next_step(f"secret retire {parameter.words}")
    console.print(
        f"Then: {then}. First replay what waits in the archive: a replay "
        "checks signatures again, and refuses those of a value that is gone."
        if loaded.settings.parameter == "signing_secret"
        else f"Then: {then}",
    )


def _print_spans(spans: list[NeededSpan], where: TextConsole) -> None:
    for span in spans:
        where.print(f"  {in_words(span.seconds):<12} {span.why}")


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
