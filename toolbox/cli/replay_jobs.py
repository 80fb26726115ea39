"""`mozdef-ef replay list` and `show`: the jobs that were, and those that can go on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeline.archive.keys import REPLAYS_PREFIX
from pipeline.replay.job import JobError
from toolbox.cli.replay_distributed import execution_status
from toolbox.cli.replay_run import print_job
from toolbox.deployments import DEFAULT_STATE, Stack, State, find_deployment
from toolbox.replaying.counts import left_out
from toolbox.replaying.plan import job_store, known_job
from toolbox.terminal.output import console, errors, print_json, print_table

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def list_jobs(*, stack: Stack = None, state: State = DEFAULT_STATE, as_json: Json = False) -> None:
    """List the replay jobs of a deployment, the oldest first."""
    jobs = job_store(find_deployment(state, stack))
    documents: list[dict[str, Any]] = []
    rows, broken = [], []
    with errors.status("reading the jobs") as status:
        for number, name in enumerate(jobs.ids(), 1):
            status.update(f"reading the jobs: {number:,}")
            try:
                job = jobs.load(name)
            except JobError as error:
                broken.append(str(error))
                continue
            # A job has up to a megabyte of problems and groups: a table needs none of them.
            if as_json:
                documents.append(job.to_json())
            user, sent = str(job.who.get("user", "")), job.counts.get("sent", 0)
            rows.append((job.id, job.status, user, sent, left_out(job.counts)))
    if as_json:
        print_json(documents)
        return
    print_table(f"{len(rows)} replay jobs", ("job", "status", "by", "sent", "left out"), rows)
    for text in broken:
        console.print(text, style="yellow")


def show_job(
    job_id: Annotated[str, typer.Argument(metavar="JOB")],
    *,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    as_json: Json = False,
) -> None:
    """Show what a replay job did, who wanted it, and what it left out."""
    where = find_deployment(state, stack)
    job = known_job(job_store(where), job_id)
    execution = str(job.options.get("execution") or "")
    status = execution_status(where.client("stepfunctions"), execution) if execution else ""
    if as_json:
        print_json({**job.to_json(), **({"execution_status": status} if status else {})})
        return
    print_job(job)
    console.print(f"filter: {dict(job.filter)}")
    if status:
        console.print(f"workflow: {status}; its counts are under")
        console.print(f"{REPLAYS_PREFIX}{job.id}/ in {where.archive_bucket}")
