"""`python -m loadtests.hostile`: a row for each body; ends with 1 where one is too dear."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from loadtests.hostile.light_flow import SOURCE, LightFlow
from loadtests.hostile.run import MOST_DELAY_SECONDS, HostileRun, write_costs
from loadtests.load.runtime import OwnPipeline
from loadtests.target import find_target
from pipeline.errors import PipelineError
from toolbox.sources.samples import authenticate
from toolbox.synthesis import synthesize
from toolbox.terminal.output import DOES_NOT_HOLD, console, say_error

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
CONFIG = Path(__file__).parents[1] / "config"
_ROW = "{:<46} {:>10} {:>10} {:>8} {:>8} {:>5}"


def main() -> int:
    """Run it; return how it ended."""
    folder, state = BUILD / "hostile-stage", BUILD / "hostile"
    shutil.rmtree(state, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CONFIG / "hostile.yaml", folder / "hostile.yaml")
    synthesize("hostile", folder / "cdk.out", folder)
    console.print(_ROW.format("what", "bytes", "peak MiB", "seconds", "delay s", "lost"))
    costs = []
    with OwnPipeline(folder / "cdk.out", state) as pipeline:
        target = find_target(
            state=state, stack="", region="", role_arn="", private_sources=folder / "sources"
        )
        kinesis, sqs = target.client("kinesis"), target.client("sqs")
        source, secret = target.sources[SOURCE], target.secrets[SOURCE]

        def sign(body: bytes) -> dict[str, str]:
            headers = authenticate(source, secret, body, now=time.time())
            return {name.lower(): value for name, value in headers.items()}

        with LightFlow(kinesis, sqs, pipeline.endpoints, sign) as flow:
            for one in HostileRun(pipeline, kinesis, flow).costs():
                costs.append(one)
                row = _ROW.format(
                    one.name[:46], f"{one.bytes:,}", one.peak_mib, one.seconds, one.delay_seconds,
                    one.lost,
                )  # fmt: skip
                console.print(row, style="" if one.holds else "red")
                write_costs(costs, BUILD / "hostile.json")
    broken = [one for one in costs if not one.holds]
    console.print(
        f"{len(costs)} inputs; the longest delay of others {max(c.delay_seconds for c in costs)} s "
        f"(at most {MOST_DELAY_SECONDS:g}), the highest peak {max(c.peak_mib for c in costs)} MiB, "
        f"{sum(c.lost for c in costs)} invocations lost; figures in build/hostile.json"
    )
    return DOES_NOT_HOLD if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PipelineError as error:
        say_error(error, "hostile")
        sys.exit(DOES_NOT_HOLD)
