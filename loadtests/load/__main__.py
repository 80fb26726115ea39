"""The load test: `python -m loadtests.load --help`."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from loadtests.load.results import print_result, write_result
from loadtests.load.run import OWN_MIX, STAGE, STANDSTILL_SECONDS, load_deployed, load_own
from loadtests.load.sending import Folder, LoadPlan
from loadtests.target import find_target
from local import endpoints
from local.endpoints import NotRunningError
from local.leaving import end_in_order
from pipeline.errors import PipelineError
from toolbox.terminal.output import DOES_NOT_HOLD, console, say_error

BUILD = Path(__file__).parents[2] / "build"
_LEAST_USERS = 20
_BACKLOG_SECONDS = 10


def main(
    *,
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second.")] = 50.0,
    seconds: Annotated[float, typer.Option(min=1, help="How long requests are sent.")] = 60.0,
    least_requests: Annotated[
        int, typer.Option(min=1, help="How many are answered before it ends.")
    ] = 1,
    users: Annotated[
        int, typer.Option(help="Connections; 0: a tenth of the rate, and 20 at least.")
    ] = 0,
    processes: Annotated[
        int, typer.Option(min=-1, help="Processes that send; -1: one for each core.")
    ] = 0,
    shape: Annotated[str, typer.Option(help="constant, ramp or spike.")] = "constant",
    mix: Annotated[
        str, typer.Option(help="Sources by weight: github=3,github:real=1,zoom-direct:small=1.")
    ] = "",
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="The share of copies.")] = 0.05,
    bad_requests: Annotated[
        float, typer.Option(min=0, max=1, help="The share of wrongly signed ones.")
    ] = 0.02,
    max_error_rate: Annotated[float, typer.Option(help="Threshold: a share.")] = 0.001,
    p95_ms: Annotated[float, typer.Option(help="Threshold of the answers.")] = 500.0,
    p99_ms: Annotated[float, typer.Option(help="Threshold of the answers.")] = 1500.0,
    max_backlog: Annotated[
        int, typer.Option(help="Threshold: accepted, and not processed; 0: ten seconds' worth.")
    ] = 0,
    drain: Annotated[
        float, typer.Option(min=1, help="Seconds without progress until the rest is given up.")
    ] = STANDSTILL_SECONDS,
    stack: Annotated[str, typer.Option(help="A deployed stack.")] = "",
    state: Annotated[Path, typer.Option(help="State of a local pipeline that runs.")] = Path(
        ".local"
    ),
    aws_region: Annotated[str, typer.Option(help="The stack's region.")] = "",
    role_arn: Annotated[str, typer.Option(help="A role to take on first.")] = "",
    private_sources: Annotated[Path, typer.Option(help="Directory of private sources.")] = Path(
        "config/sources"
    ),
    output: Annotated[Path, typer.Option(help="Where report and figures go; emptied.")] = (
        BUILD / "load"
    ),
) -> None:
    """Send webhooks at a rate, then account for each of them.

    Without --stack, and where no local pipeline runs, one is started for the test. Then the test
    is the only reader of the queues: it counts the messages, and says how long each event took
    from the answer to SQS. What runs already may have another reader, and keeps its messages.

    Exit status: 0 all holds, 1 a threshold is exceeded or an event is not accounted for.
    """
    end_in_order()
    plan = LoadPlan(
        rate=rate,
        seconds=seconds,
        least_requests=least_requests,
        users=users or max(_LEAST_USERS, round(rate / 10)),
        processes=processes,
        shape=shape,
        mix=mix,
        duplicates=duplicates,
        bad_requests=bad_requests,
        max_error_rate=max_error_rate,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        max_backlog=max_backlog or max(1_000, round(rate * _BACKLOG_SECONDS)),
    )
    folder = _emptied(output)
    try:
        if stack or _runs(state):
            target = find_target(
                state=state,
                stack=stack,
                region=aws_region,
                role_arn=role_arn,
                private_sources=private_sources,
            )
            words = ["--stack", stack, "--aws-region", aws_region, "--role-arn", role_arn]
            words += ["--state", str(state), "--private-sources", str(private_sources)]
            result = load_deployed(target, plan, folder, words, drain)
        else:
            with tempfile.TemporaryDirectory(prefix="mozdef-ef-load-") as temporary:
                own = Path(temporary) / "state"
                result = load_own(STAGE, own, plan, folder, drain=drain, mix=OWN_MIX)
    except PipelineError as error:
        say_error(error, "load test")
        raise typer.Exit(DOES_NOT_HOLD) from None
    write_result(result, folder.path / "load.json")
    print_result(result)
    if not result.holds:
        raise typer.Exit(DOES_NOT_HOLD)
    console.print("Every accepted event is accounted for.", style="green")


def _runs(state: Path) -> bool:
    with suppress(NotRunningError):
        return bool(endpoints.read(state))
    return False


def _emptied(path: Path) -> Folder:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return Folder(path.resolve())


if __name__ == "__main__":
    typer.run(main)
