"""The local gateway: CPU time of its process for a request, on a template as it is deployed."""

from __future__ import annotations

import asyncio
import base64
import os
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from loadtests.bench.floor import floor
from loadtests.bench.measuring import MICRO, Contender, WorkError, compare
from loadtests.bench.payloads import Webhook, github_deliveries, plain_deliveries
from loadtests.bench.stand_ins import REGION
from local.assembly import find_template
from local.emulator import Emulator
from local.gateway_control import GatewayConfig, GatewayProcess
from local.outputs import sources as sources_of
from local.processes import HOST, listen
from local.provision import create_secrets, provision
from settings.source.loader import load_sources
from toolbox.synthesis import synthesize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).parent / "config"
ASSEMBLY = ROOT / "build" / "bench-cdk.out"
STAGE = "bench"
REQUESTS, CONNECTIONS = 650, 8


@dataclass(frozen=True)
class RunningGateway:
    """A gateway that serves the benchmarks' stage."""

    url: str
    pid: int
    secrets: dict[str, str]

    def cpu_seconds(self) -> float:
        """Return user and system time of the process: fields 14 and 15 of proc_pid_stat(5)."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(folder: Path) -> Iterator[RunningGateway]:
    """Start an emulator and a gateway, without the functions behind the stream."""
    synthesize(STAGE, ASSEMBLY, CONFIG)
    template = find_template(ASSEMBLY, region=REGION)
    with Emulator(folder / "gateway", region=REGION) as emulator, listen(None) as listener:
        provision(template, emulator)
        secrets = create_secrets(sources_of(template), emulator.client("ssm"))
        port = listener.getsockname()[1]
        config = GatewayConfig(
            assembly=str(ASSEMBLY),
            stack=template.stack_name,
            region=REGION,
            endpoint_url=emulator.endpoint_url,
            credentials=emulator.credentials,
            logs=str(folder / "gateway" / "logs"),
            physical_ids=template.physical_ids,
        )
        child = GatewayProcess(listener, folder / "gateway" / "logs")
        try:
            child.prepare(config)
            child.commit()
            first = {
                name: next(iter(values.values())).splitlines()[0]
                for name, values in secrets.items()
            }
            yield RunningGateway(f"http://{HOST}:{port}", child.pid, first)
        finally:
            child.stop()


def run(folder: Path, rounds: int) -> dict[str, Any]:
    """Measure what a request takes in the gateway's process.

    Returns
    -------
    dict[str, Any]
        `gateway_us`: microseconds of CPU a request, for real GitHub events of 10 KB, and for
        events of 1 KB of the source with a token, whose authorizer's answer is cached.
        `gateway_floor_us`: the floor of the same events.
    """
    sources = load_sources(("github", "generic"))
    with running(folder) as gateway:
        github = github_deliveries(sources["github"], gateway.secrets["github"])
        made: dict[str, Callable[[], Sequence[Webhook]]] = {
            "github_10kb": lambda: github,
            "small_1kb": lambda: plain_deliveries(sources["generic"], gateway.secrets["generic"]),
        }
        taken: dict[str, list[float]] = {kind: [] for kind in made}
        for number in range(rounds + 1):
            for kind, make in made.items():
                deliveries = list(islice(cycle(make()), REQUESTS))
                before = gateway.cpu_seconds()
                asyncio.run(_send(gateway.url, deliveries))
                used = gateway.cpu_seconds() - before
                if number:  # the first round warms up
                    taken[kind].append(used / REQUESTS * MICRO)
    least = {
        kind: Contender(floor([base64.b64encode(one.body) for one in make()]))
        for kind, make in made.items()
    }
    return {
        "gateway_us": {kind: round(statistics.median(us)) for kind, us in taken.items()},
        "gateway_floor_us": {
            kind: round(one.median, 1) for kind, one in compare(least, rounds).items()
        },
    }


async def _send(url: str, deliveries: Sequence[Webhook]) -> None:
    waiting = iter(deliveries)

    async def connection() -> None:
        for one in waiting:
            headers = {**one.headers, "X-GitHub-Delivery": str(time.time_ns())}
            async with session.post(
                f"{url}/{one.source}", data=one.body, headers=headers
            ) as answer:
                await answer.read()
                if answer.status != 200:
                    raise WorkError(f"{one.source}: answered with {answer.status}")

    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
