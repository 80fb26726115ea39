"""`mozdef-ef replay`: put archived events back on the stream."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - Typer reads the annotations when it runs
from typing import Annotated

import typer

from pipeline.archive.keys import ArchiveKind  # noqa: TC001 - as above
from pipeline.replay.engine import REPLAY_LIMIT
from pipeline.replay.job import Job, new_job_id
from toolbox.cli.lazily import add, new_app
from toolbox.cli.replay_distributed import start_distributed
from toolbox.cli.replay_dry import print_dry_run
from toolbox.cli.replay_history import types_of_settings, windows_of_settings
from toolbox.cli.replay_run import report, sending_with_bar
from toolbox.cli.replay_wait import WAIT_SECONDS, Wait, WaitSeconds
from toolbox.cli.source_filter import check_sources
from toolbox.deployments import DEFAULT_STATE, Stack, State, find_deployment
from toolbox.project.next_steps import next_step
from toolbox.project.options import with_project
from toolbox.replaying.plan import ReplayPlan, resumed
from toolbox.replaying.wishes import Wishes, make_filter
from toolbox.terminal.output import WRONG_USAGE, errors
from toolbox.terminal.stopping import stopping


def replay(
    context: typer.Context,
    *,
    kind: Annotated[
        list[ArchiveKind] | None,
        typer.Option(help="Where to look; default: rejected and failed, raw with ids."),
    ] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only of this source.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Only what arrived since: ISO 8601, or 2h ago.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Only what arrived before; default: now.")
    ] = None,
    event_type: Annotated[list[str] | None, typer.Option(help="Only of this type.")] = None,
    reason: Annotated[list[str] | None, typer.Option(help="Only rejected for this.")] = None,
    identifier: Annotated[
        list[str] | None, typer.Option("--id", help="An envelope's or a delivery's id.")
    ] = None,
    ids_file: Annotated[Path | None, typer.Option(help="Such ids, one a line.")] = None,
    missing: Annotated[
        Path | None, typer.Option(help="What 'mozdef-ef audit --missing-to' wrote.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Without any filter.")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent.")] = False,
    rate: Annotated[
        float | None,
        typer.Option(min=0.01, help="Events a second; default: half of what the stream takes."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100, help="Leave out what was replayed so often.")
    ] = REPLAY_LIMIT,
    force: Annotated[bool, typer.Option(help="Deliver again what was delivered before.")] = False,
    resume: Annotated[str | None, typer.Option(help="Go on with a job that was stopped.")] = None,
    distributed: Annotated[
        bool, typer.Option(help="With workers on AWS; needs --stack and one --kind.")
    ] = False,
    wait: Wait = False,
    wait_seconds: WaitSeconds = WAIT_SECONDS,
    concurrency: Annotated[int, typer.Option(min=1, max=100, help="Workers side by side.")] = 4,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put archived events back on the stream. What the ledger knows as delivered is left out.

    Options that may be repeated: --kind, --source, --event-type, --reason, --id.

    Exit status: 0 all that was asked for is on the stream, 1 something was left out, nothing is
    what was asked for, or, with --wait, something was not delivered, 130 stopped.
    """
    if context.invoked_subcommand is not None:
        return
    now = datetime.now(UTC)
    wishes = Wishes(
        kinds=kind or [],
        sources=source or [],
        event_types=event_type or [],
        reasons=reason or [],
        ids=identifier or [],
        ids_file=ids_file,
        missing=missing,
        start=start,
        end=end,
        everything=everything,
    )
    _check(wishes, resume=resume, dry=dry, distributed=distributed, stack=stack)
    if wait and (dry or distributed):
        raise typer.BadParameter("nothing is sent from here", param_hint="--wait")
    patience = wait_seconds if wait else 0
    if resume:
        where = find_deployment(state, stack)
        job, wanted = resumed(where, resume, now, rate)
        types = types_of_settings(wanted, where.parameters)
        plan = ReplayPlan(where, job, wanted, types, windows=windows_of_settings)
        _run(plan, wait=patience, as_json=as_json)
        return
    wanted = make_filter(wishes, now)
    where = find_deployment(state, stack)
    check_sources(wishes.sources, where)
    options = {"rate": rate, "limit": limit, "force": force}
    job = Job(new_job_id(now), where.who(), now.isoformat(), wanted.to_json(), options)
    types = types_of_settings(wanted, where.parameters)
    plan = ReplayPlan(where, job, wanted, types, windows=windows_of_settings)
    if dry:
        print_dry_run(plan, as_json=as_json)
    elif distributed:
        start_distributed(plan, concurrency, as_json=as_json)
    else:
        plan.begin()
        _run(plan, wait=patience, as_json=as_json)


def _check(
    wishes: Wishes, *, resume: str | None, dry: bool, distributed: bool, stack: str | None
) -> None:
    fault = ""
    if resume and (wishes.narrow or wishes.everything or wishes.kinds or dry or distributed):
        fault = "--resume goes on with the job's own filter; give no other option of a filter"
    if distributed and not stack:
        fault = "--distributed runs workers on AWS: name the stack with --stack; the local "
        fault += "pipeline has none, and needs none: leave --distributed out"
    if distributed and dry:
        fault = "--dry-run counts on this machine: leave --distributed out"
    if fault:
        errors.print(f"mozdef-ef: {fault}", style="red")
        raise typer.Exit(WRONG_USAGE)


def _run(plan: ReplayPlan, *, wait: int, as_json: bool) -> None:
    job = plan.job
    resume = next_step(f"replay --resume {job.id}")
    if not as_json:
        errors.print(f"{job.id}: {job.objects:,} objects, {job.size / 1e6:,.1f} MB")
    try:
        with stopping() as stop, sending_with_bar(plan, stop) as replayer:
            if replayer.run(plan.refs()):
                replayer.finish()
    except BaseException:
        errors.print(f"stopped; nothing is lost. Go on with: {resume}")
        raise
    report(plan, wait=wait, as_json=as_json, resume=resume)


app = new_app(invoke_without_command=True)
app.callback(invoke_without_command=True)(with_project(replay))
add(
    app,
    "list",
    "toolbox.cli.replay_jobs:list_jobs",
    "List the replay jobs of a deployment, the oldest first.",
)
add(
    app,
    "show",
    "toolbox.cli.replay_jobs:show_job",
    "Show what a replay job did, who wanted it, and what it left out.",
)
