"""The two phases of a load test: requests are sent, then each accepted one is accounted for."""

from __future__ import annotations

import re
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from loadtests.load.consumer import Consumer, Queues
from loadtests.load.figures import delivery_seconds, spread
from loadtests.load.journal import read_journals
from loadtests.load.ledger import Ledger
from loadtests.load.messages import read_messages
from loadtests.load.proof import prove, with_messages
from loadtests.load.results import Result, rates
from loadtests.load.runtime import OwnPipeline
from loadtests.load.sending import send
from loadtests.load.stage import private_sources, write_stage
from loadtests.load.standstill import Standstill
from loadtests.target import find_target
from pipeline.errors import PipelineError
from toolbox.terminal.output import console

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loadtests.load.sending import Folder, LoadPlan, SendingWatched
    from loadtests.target import TargetUnderTest
    from local.endpoints import Endpoints

#: Settings and cloud assembly of the load test's stage; written anew where something changed.
STAGE = Path(__file__).parents[2] / "build" / "load-stage"
OWN_MIX = "github:real=3,github=1,gitlab=1,generic=2,zoom-direct:small=3"
#: Longer than the fan-out's timeout of a minute: a batch that is tried again is no standstill.
STANDSTILL_SECONDS = 120.0
_EXCEEDED = re.compile(r"threshold exceeded: (.*)")


class LoadTestError(PipelineError):
    """Locust did not run."""


@dataclass(frozen=True)
class Running:
    """What runs during a load test of a pipeline of its own.

    Parameters
    ----------
    endpoints : Endpoints
        Where the pipeline is.
    consumer_pid : int
        The process that reads its queues.
    """

    endpoints: Endpoints
    consumer_pid: int


def _nothing(_: Running) -> None:
    pass


@dataclass(frozen=True)
class LoadHooks:
    """What is called at points of a load test that have an order.

    Parameters
    ----------
    started : Callable[[Running], None]
        Everything runs, and nothing was sent.
    drained : Callable[[Running], None]
        Each event has its outcome; the consumer was not told to come to its end.
    """

    started: Callable[[Running], None] = _nothing
    drained: Callable[[Running], None] = _nothing


_NO_HOOKS = LoadHooks()


def load_own(
    stage: Path,
    state: Path,
    plan: LoadPlan,
    folder: Folder,
    *,
    drain: float = STANDSTILL_SECONDS,
    mix: str = OWN_MIX,
    hooks: LoadHooks = _NO_HOOKS,
    changes: Mapping[str, Mapping[str, object]] | None = None,
) -> Result:
    """Test a pipeline that is started for it.

    Parameters
    ----------
    stage : Path
        The folder of its settings and its cloud assembly, which are written once.
    state : Path
        A folder that is not there yet, for its state.
    folder : Folder
        Where the results go.
    drain : float
        Seconds without progress until the backlog, or what the queues have, is given up.
    mix : str
        The mix where the plan has none.
    changes : Mapping[str, Mapping[str, object]], optional
        Settings of the stage in the place of the load test's, by part and name.

    Raises
    ------
    PipelineError
        When a part of the test cannot run.
    """
    with console.status("synthesizing the stack"):
        assembly = write_stage(stage, changes)
    plan = replace(plan, mix=plan.mix or mix)
    sources = private_sources(stage)
    try:
        pipeline = OwnPipeline(assembly, state)
        return _load_own(pipeline, sources, plan, folder, drain=drain, hooks=hooks)
    except PipelineError:
        shutil.copytree(state / "logs", folder.path / "logs", dirs_exist_ok=True)
        raise


def _load_own(
    pipeline: OwnPipeline,
    sources: Path,
    plan: LoadPlan,
    folder: Folder,
    *,
    drain: float,
    hooks: LoadHooks,
) -> Result:
    words = [*plan.options(), "--state", str(pipeline.state), "--private-sources", str(sources)]
    with ExitStack() as parts:
        with console.status("starting the pipeline"):
            parts.enter_context(pipeline)
        where = pipeline.endpoints
        target = find_target(
            state=pipeline.state, stack="", region="", role_arn="", private_sources=sources
        )
        urls = sorted(set(where.queues.values()))
        queues = Queues(
            where.aws_endpoint_url,
            where.region,
            where.credentials.access_key_id,
            where.credentials.secret_access_key,
            urls,
            str(folder.messages),
        )
        consumer = Consumer(queues, folder.path / "consumer.txt")
        parts.callback(consumer.stop)
        running = Running(where, consumer.pid)

        def check() -> None:
            pipeline.check()
            consumer.check()

        hooks.started(running)
        console.print("The pipeline runs; requests are sent.")
        watched = send(words, folder, settled=pipeline.settled, check=check)
        _check_locust(watched, folder)
        console.print("Sent; waiting until every event has its outcome.")
        drained = pipeline.wait_until_drained(Standstill(drain))
        ends = Ledger(target, watched.start, None).read()
        invocations = pipeline.invocations()
        hooks.drained(running)
        consumer.drain(Standstill(drain))
    accepted, messages = list(read_journals(folder.journals)), list(read_messages(folder.messages))
    answers = folder.answers()
    proof = prove(accepted, ends, unanswered=int(answers.get("errors", 0)))
    proof = with_messages(proof, accepted, ends, messages)
    exceeded = _exceeded(folder)
    if drained is None:
        exceeded.append(f"backlog: stood still for {drain:.0f} seconds before all was processed")
    if watched.backlog_max > plan.max_backlog:
        exceeded.append(f"backlog: {watched.backlog_max:,}, at most {plan.max_backlog:,}")
    return Result(
        target="a pipeline of its own on this machine",
        plan=plan,
        watched=watched,
        answers=answers,
        rates=rates(accepted),
        delivery=spread(delivery_seconds(accepted, messages, ends.by_event), "delivery_"),
        drained_seconds=None if drained is None else round(drained, 1),
        proof=proof,
        exceeded=exceeded,
        fan_out=invocations,
    )


def load_deployed(
    target: TargetUnderTest, plan: LoadPlan, folder: Folder, words: list[str], drain: float
) -> Result:
    """Test what runs already: a stack, or a local pipeline that somebody started.

    Its messages are left to whom they are for. The ledger is written once SQS has taken them, so
    the time from arrival to ledger is the most that a delivery took. On AWS both are AWS's clock;
    S3 gives full seconds.

    Parameters
    ----------
    folder : Folder
        Where the results go.
    drain : float
        Seconds without a new outcome until the rest is given up.

    Raises
    ------
    PipelineError
        When a part of the test cannot run.
    """
    console.print(f"Load test of {target.name}; requests are sent.")
    named = [word for pair in zip(words[::2], words[1::2], strict=True) if pair[1] for word in pair]
    watched = send([*plan.options(), *named], folder, settled=None, check=lambda: None)
    _check_locust(watched, folder)
    console.print("Sent; waiting until every event has its outcome.")
    accepted = list(read_journals(folder.journals))
    ledger = Ledger(target, watched.start, {one.id: one.events for one in accepted})
    ends = ledger.wait(Standstill(drain), console.print)
    answers = folder.answers()
    return Result(
        target=target.name,
        plan=plan,
        watched=watched,
        answers=answers,
        rates=rates(accepted),
        delivery=spread(ends.written, "ledger_"),
        drained_seconds=None,
        proof=prove(accepted, ends, unanswered=int(answers.get("errors", 0)), alone=False),
        exceeded=_exceeded(folder),
    )


def _exceeded(folder: Folder) -> list[str]:
    return _EXCEEDED.findall(folder.log.read_text(errors="replace"))


def _check_locust(watched: SendingWatched, folder: Folder) -> None:
    """See that locust ran: its status is 1 for a threshold, which it then names."""
    if watched.status == 0 or (watched.status == 1 and _exceeded(folder)):
        return
    said = folder.log.read_text(errors="replace").strip().splitlines()
    raise LoadTestError(
        f"locust ended with {watched.status}: {said[-1] if said else 'nothing said'}; "
        f"see {folder.log}"
    )
