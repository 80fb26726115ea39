"""`mozdef-ef replay --distributed`: the same job, with workers on AWS."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.archive.keys import ArchiveKind, day_folder, hour_folder, source_folder
from pipeline.archive.listing import ArchiveListing
from pipeline.replay.filters import FilterError
from pipeline.replay.job import DISTRIBUTED
from pipeline.replay.selection import measure
from toolbox.deployments import RunningDeploymentError
from toolbox.project.next_steps import next_step
from toolbox.replaying.plan import default_rate, job_store
from toolbox.terminal.output import console, errors, print_json

if TYPE_CHECKING:
    from pipeline.replay.filters import Filter
    from toolbox.replaying.plan import ReplayPlan
    from toolbox.seams import Workflows


def start_distributed(plan: ReplayPlan, concurrency: int, *, as_json: bool) -> None:
    """Start the workflow that gives the archive's objects to workers.

    Parameters
    ----------
    concurrency : int
        How many workers run side by side; they share the job's rate.

    Raises
    ------
    PipelineError
        When the stack has no such workflow, or it cannot be started.
    """
    job, where = plan.job, plan.where
    if not where.replay_state_machine:
        raise RunningDeploymentError(
            f"{where.name}: has no output ReplayStateMachineArn; deploy this version of it"
        )
    jobs, prefix = job_store(where), list_prefix(plan.wanted)
    if plan.wanted.ids is not None:
        job.filter = {**job.filter, "ids": jobs.save_ids(job.id, plan.wanted.ids)}
    listing = ArchiveListing(where.client("s3"), where.archive_bucket)
    with errors.status("listing the archive"):
        job.objects, job.size = measure(listing, plan.wanted)
    document = _input(plan, prefix, concurrency)
    # Written first: a workflow that runs without a record of who wanted it must not be.
    job.status = DISTRIBUTED
    jobs.save(job)
    job.options = {**job.options, "concurrency": concurrency, "execution": _start(plan, document)}
    jobs.save(job)
    if as_json:
        print_json(job.to_json())
        return
    console.print(f"{job.id}: started {job.options['execution']}")
    console.print(
        f"{job.objects:,} objects, {job.size / 1e6:,.1f} MB, by {concurrency} workers with "
        f"{document['rate']:,g} events a second each"
    )
    console.print(f"See how it does with: {next_step(f'replay show {job.id}')}")


def _input(plan: ReplayPlan, prefix: str, concurrency: int) -> dict[str, Any]:
    options = plan.job.options
    rate = float(options["rate"]) if options.get("rate") else default_rate(plan.where)[0]
    return {
        "job": plan.job.id,
        "prefix": prefix,
        "filter": plan.job.filter,
        "rate": rate / concurrency,
        "limit": options["limit"],
        "force": options["force"],
        "concurrency": concurrency,
    }


def list_prefix(wanted: Filter) -> str:
    """Return the narrowest prefix that holds all that is wanted.

    Raises
    ------
    FilterError
        When the job looks in several places: a workflow lists one prefix.
    """
    if len(wanted.kinds) != 1:
        raise FilterError("--distributed reads one part of the archive: name it with one --kind")
    (kind,) = wanted.kinds
    prefix = kind.prefix
    if kind is ArchiveKind.FAILED or len(wanted.sources) != 1:
        return prefix
    (source,) = wanted.sources
    prefix += source_folder(source)
    if wanted.start is None or wanted.end is None:
        return prefix
    if hour_folder(wanted.start) == hour_folder(wanted.end):
        return prefix + hour_folder(wanted.start)
    first, last = (day_folder(datetime.fromtimestamp(at, UTC)) for at in (wanted.start, wanted.end))
    return prefix + (first if first == last else "")


def _start(plan: ReplayPlan, document: dict[str, Any]) -> str:
    where = plan.where
    try:
        answer = where.client("stepfunctions").start_execution(
            stateMachineArn=where.replay_state_machine,
            name=plan.job.id,
            input=orjson.dumps(document).decode(),
        )
    except (BotoCoreError, ClientError) as error:
        raise RunningDeploymentError(
            f"{where.replay_state_machine}: not started: {error}"
        ) from None
    return str(answer["executionArn"])


def execution_status(workflows: Workflows, arn: str) -> str:
    """Ask how a workflow does; the answer is for people."""
    try:
        answer = workflows.describe_execution(executionArn=arn)
    except (BotoCoreError, ClientError) as error:
        return f"unknown ({error})"
    return str(answer["status"])
