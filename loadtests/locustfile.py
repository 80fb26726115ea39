"""The load test, for locust: signed webhooks of the sources' samples, with thresholds.

`locust -f loadtests/locustfile.py --headless --stack NAME`, or without a stack against the pipeline
that runs on this machine. The exit status is 1 where a threshold is exceeded. `--html` and `--csv`
are locust's own.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from locust import FastHttpUser, LoadTestShape, constant_throughput, events, task

from loadtests.shapes import users_at
from loadtests.target import add_options, find_target
from loadtests.thresholds import Measured, Thresholds
from loadtests.traffic import Traffic, parse_mix

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from locust.env import Environment

PRIVATE_SOURCES = Path("config/sources")
_log = logging.getLogger(__name__)


class Sender(FastHttpUser):
    """One connection of a sender, with its share of the rate."""

    insecure = False
    connection_timeout = 10.0
    network_timeout = 30.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        options = environment.parsed_options
        assert options is not None  # noqa: S101 - locust always parses them
        self._pace: Callable[[Sender], float] = constant_throughput(
            options.request_rate / options.num_users
        )

    def wait_time(self) -> float:
        """Give how long to wait, so that all users together keep to the rate."""
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
            if answer.status_code in sent.statuses:
                answer.success()
            else:
                wanted = " or ".join(map(str, sent.statuses))
                answer.failure(f"answered {answer.status_code}, expected {wanted}")


class Course(LoadTestShape):
    """The course that the options name."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Give the number of users, and how fast to come to it."""
        assert self.runner is not None  # noqa: S101 - locust sets it before the first tick
        options = self.runner.environment.parsed_options
        assert options is not None  # noqa: S101
        elapsed: float = self.get_run_time()  # type: ignore[no-untyped-call]
        users = users_at(options.shape, elapsed, seconds=options.seconds, users=options.num_users)
        return None if users is None else (users, max(users, 1))


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _options(parser: argparse.ArgumentParser) -> None:
    add_options(parser, PRIVATE_SOURCES)
    load = parser.add_argument_group("what is sent")
    load.add_argument("--request-rate", type=float, default=50.0, help="requests a second, by all")
    load.add_argument("--seconds", type=float, default=60.0, help="how long the test lasts")
    load.add_argument("--shape", choices=("constant", "ramp", "spike"), default="constant")
    load.add_argument("--mix", default="", help="sources by weight: github=3,generic=1")
    load.add_argument("--duplicates", type=float, default=0.05, help="the share of copies")
    load.add_argument("--bad-requests", type=float, default=0.02, help="wrongly signed, a share")
    limits = parser.add_argument_group("thresholds; above one, the exit status is 1")
    limits.add_argument("--max-error-rate", type=float, default=0.001, help="a share")
    limits.add_argument("--p95-ms", type=float, default=500.0)
    limits.add_argument("--p99-ms", type=float, default=1_500.0)


@events.init.add_listener  # type: ignore[untyped-decorator]
def _prepare(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    assert options is not None  # noqa: S101
    target = find_target(
        state=Path(options.state),
        stack=options.stack,
        region=options.aws_region,
        role_arn=options.role_arn,
        private_sources=Path(options.private_sources),
    )
    environment.host = target.api
    environment.traffic = Traffic(  # type: ignore[attr-defined]
        target,
        parse_mix(options.mix, sorted(target.sources)),
        duplicates=options.duplicates,
        bad_requests=options.bad_requests,
    )
    _log.info("load test of %s: %s", target.name, ", ".join(sorted(target.sources)))


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _judge(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    assert options is not None  # noqa: S101
    total = environment.stats.total
    measured = Measured(
        requests=total.num_requests,
        errors=total.num_failures,
        p95_ms=total.get_response_time_percentile(0.95) or 0.0,
        p99_ms=total.get_response_time_percentile(0.99) or 0.0,
    )
    limits = Thresholds(options.max_error_rate, options.p95_ms, options.p99_ms)
    exceeded = list(limits.exceeded(measured))
    for what in exceeded:
        _log.error("threshold exceeded: %s", what)
    # Set in either case: left alone, locust ends with 1 for a single failed request.
    environment.process_exit_code = 1 if exceeded else 0
