"""The load test, for locust: signed webhooks of the sources' samples, with thresholds.

`locust -f loadtests/locustfile.py --headless --stack NAME`, or without a stack against the pipeline
that runs on this machine. The exit status is 1 where a threshold is exceeded. `--html`, `--csv`,
`--processes`, `--master` and `--worker` are locust's own: each process that sends makes its own
requests, and the one that leads them judges the figures of all. A worker that is started by itself
is given the options that name what is tested and what is sent, too.

`python -m loadtests.load` runs it with a pipeline of its own, and proves what became of each event.
"""

from __future__ import annotations

import logging
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import gevent  # type: ignore[import-untyped]
import orjson
from locust import FastHttpUser, LoadTestShape, constant_throughput, events, task
from locust.runners import MasterRunner, WorkerRunner

from loadtests.load.journal import Accepted, Journal
from loadtests.load.standstill import Standstill
from loadtests.shapes import users_at
from loadtests.target import add_options, target_of
from loadtests.thresholds import Measured, Thresholds
from loadtests.traffic import Traffic, parse_mix
from local.files import write_atomically
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from locust.env import Environment

    from loadtests.traffic import TrafficRequest

PRIVATE_SOURCES = Path("config/sources")
_FLUSH_SECONDS = 0.5
_FIGURES_SECONDS = 2.0
#: Longer than a request may take: users that make none at all would be waited for without end.
_STANDSTILL_SECONDS = 150.0
_ALMOST_ALL = 0.999
_log = logging.getLogger(__name__)


class Sender(FastHttpUser):
    """One connection of a sender, with its share of the rate."""

    insecure = False
    # What hangs ends here; what is slow, the percentiles judge.
    connection_timeout = 60.0
    network_timeout = 60.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        options = environment.parsed_options
        assert options is not None  # noqa: S101 - locust always parses them
        self._seconds_each: float = options.num_users / options.request_rate
        self._pace: Callable[[Sender], float] = constant_throughput(1 / self._seconds_each)

    def on_start(self) -> None:
        """Begin at a moment of its own: users in step would make bursts of the rate."""
        gevent.sleep(random.uniform(0, min(self._seconds_each, 1.0)))  # noqa: S311 - no secret

    def wait_time(self) -> float:
        """Return how long to wait, so that all users together keep to the rate."""
        return self._pace(self)

    @task
    def send(self) -> None:
        """Send one request, and see that it is answered as it should be."""
        traffic: Traffic = self.environment.traffic
        sent = traffic.next()
        with self.client.post(
            f"{self.environment.host}/{sent.source}",
            # Locust declares text; what it passes on to its client may be bytes.
            data=cast("str", sent.request.body),
            headers=sent.request.headers,
            name=sent.label,
            catch_response=True,
        ) as answer:
            if 200 <= answer.status_code < 300:
                self._note(sent, answer.content)
            if answer.status_code in sent.statuses:
                answer.success()
            else:
                wanted = " or ".join(map(str, sent.statuses))
                answer.failure(f"answered {answer.status_code}, expected {wanted}")

    def _note(self, sent: TrafficRequest, content: bytes | None) -> None:
        journal: Journal | None = self.environment.journal
        if journal is None:
            return
        now = time.time()
        try:
            identifier = str(orjson.loads(content or b"")["id"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            identifier = f"no id in the answer to {sent.source}"
        words = (identifier, sent.source, sent.kind, sent.token)
        journal.write(Accepted(*words, events=sent.events, answered=now))


class Course(LoadTestShape):
    """The course that the options name; its end waits until enough requests were answered."""

    use_common_options = True
    _still = Standstill(_STANDSTILL_SECONDS)

    def tick(self) -> tuple[int, float] | None:
        """Return the number of users, and how fast to come to it."""
        assert self.runner is not None  # noqa: S101 - locust sets it before the first tick
        options = self.runner.environment.parsed_options
        assert options is not None  # noqa: S101
        answered: int = self.runner.stats.total.num_requests
        elapsed = self.get_run_time()  # type: ignore[no-untyped-call]
        if answered < options.least_requests and not self._still.reached(answered):
            elapsed = min(elapsed, options.seconds * _ALMOST_ALL)
        users = users_at(options.shape, elapsed, seconds=options.seconds, users=options.num_users)
        return None if users is None else (users, max(users, 1))


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _options(parser: argparse.ArgumentParser) -> None:
    add_options(parser, PRIVATE_SOURCES)
    load = parser.add_argument_group("what is sent")
    load.add_argument("--request-rate", type=float, default=50.0, help="requests a second, by all")
    load.add_argument("--seconds", type=float, default=60.0, help="how long the test lasts")
    load.add_argument(
        "--least-requests",
        type=int,
        default=1,
        help="how many are answered before it ends, however long that takes",
    )
    load.add_argument("--shape", choices=("constant", "ramp", "spike"), default="constant")
    load.add_argument(
        "--mix",
        default="",
        help="sources by weight: github=3,generic=1; github:real has real payloads in the place of"
        " samples, zoom:small events of 1 KB",
    )
    load.add_argument("--duplicates", type=float, default=0.05, help="the share of copies")
    load.add_argument("--bad-requests", type=float, default=0.02, help="wrongly signed, a share")
    out = parser.add_argument_group("what is kept")
    out.add_argument("--journal", default="", help="a folder, for the ids of what was accepted")
    out.add_argument("--figures", default="", help="a file, for the figures so far, as JSON")
    limits = parser.add_argument_group("thresholds; above one, the exit status is 1")
    limits.add_argument("--max-error-rate", type=float, default=0.001, help="a share")
    limits.add_argument("--p95-ms", type=float, default=500.0)
    limits.add_argument("--p99-ms", type=float, default=1_500.0)


@events.init.add_listener  # type: ignore[untyped-decorator]
def _prepare(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    assert options is not None  # noqa: S101
    try:
        target = target_of(options)
    except PipelineError as error:
        # What else a listener raises, locust shows as a traceback.
        sys.exit(f"load test: {error}")
    environment.host = target.api
    environment.journal = None  # type: ignore[attr-defined]
    if not isinstance(environment.runner, MasterRunner):
        environment.traffic = Traffic(  # type: ignore[attr-defined]
            target,
            parse_mix(options.mix, sorted(target.sources)),
            duplicates=options.duplicates,
            bad_requests=options.bad_requests,
        )
        if options.journal:
            journal = environment.journal = Journal(Path(options.journal))  # type: ignore[attr-defined]
            gevent.spawn(_repeat, journal.flush, _FLUSH_SECONDS)
    if options.figures and not isinstance(environment.runner, WorkerRunner):
        gevent.spawn(_repeat, lambda: _write_figures(environment), _FIGURES_SECONDS)
    _log.info("load test of %s: %s", target.name, ", ".join(sorted(target.sources)))


def _repeat(do: Callable[[], None], seconds: float) -> None:
    while True:
        gevent.sleep(seconds)
        do()


def _measured(environment: Environment) -> Measured:
    total = environment.stats.total
    return Measured(
        requests=total.num_requests,
        errors=total.num_failures,
        p50_ms=total.get_response_time_percentile(0.50) or 0.0,
        p95_ms=total.get_response_time_percentile(0.95) or 0.0,
        p99_ms=total.get_response_time_percentile(0.99) or 0.0,
    )


def _write_figures(environment: Environment) -> None:
    options = environment.parsed_options
    assert options is not None  # noqa: S101
    figures = _measured(environment).figures()
    write_atomically(Path(options.figures), orjson.dumps(figures).decode() + "\n")


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _judge(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    assert options is not None  # noqa: S101
    if journal := environment.journal:  # type: ignore[attr-defined]
        journal.flush()
    if isinstance(environment.runner, WorkerRunner):
        environment.process_exit_code = 0  # its part of the figures decides nothing
        return
    if options.figures:
        _write_figures(environment)
    limits = Thresholds(options.max_error_rate, options.p95_ms, options.p99_ms)
    exceeded = list(limits.exceeded(_measured(environment)))
    for what in exceeded:
        _log.error("threshold exceeded: %s", what)
    # Set in either case: left alone, locust ends with 1 for a single failed request.
    environment.process_exit_code = 1 if exceeded else 0
