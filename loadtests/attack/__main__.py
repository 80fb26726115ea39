"""`python -m loadtests.attack`: a line for each attack; ends with 1 where one did not hold."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from loadtests.attack.pipeline import AttackedPipeline
from loadtests.attack.plan import ATTACKS, tell
from loadtests.attack.verdicts import NotHeldError, carry_out
from loadtests.load.runtime import OwnPipeline
from loadtests.load.standstill import Standstill
from local.assembly import find_template
from pipeline.errors import PipelineError
from toolbox.synthesis import synthesize
from toolbox.terminal.output import DOES_NOT_HOLD, console, say_error

BUILD = Path(__file__).parents[2] / "build"
CONFIG = Path(__file__).parents[1] / "config"
_STANDSTILL_SECONDS = 120.0


def main() -> int:
    """Run it; return how it ended."""
    folder, state = BUILD / "attack-stage", BUILD / "attack"
    shutil.rmtree(state, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CONFIG / "attack.yaml", folder / "attack.yaml")
    synthesize("attack", folder / "cdk.out", folder)
    with (
        OwnPipeline(folder / "cdk.out", state) as pipeline,
        tempfile.TemporaryDirectory() as scratch,
    ):

        def wait() -> None:
            if pipeline.wait_until_drained(Standstill(_STANDSTILL_SECONDS)) is None:
                raise NotHeldError(f"nothing was settled for {_STANDSTILL_SECONDS:.0f} s")

        def pids() -> list[int]:
            below = psutil.Process(pipeline.pid).children(recursive=True)
            return [pipeline.pid, *(child.pid for child in below)]

        arena = AttackedPipeline(
            state=state,
            template=find_template(folder / "cdk.out", region=pipeline.endpoints.region).document,
            scratch=Path(scratch),
            pids=pids,
            wait=wait,
        )
        fallen = tell(
            carry_out(ATTACKS, arena), lambda text, style: console.print(text, style=style)
        )
    console.print(f"{len(ATTACKS)} attacks, {fallen} not held; logs in {state}/logs")
    return DOES_NOT_HOLD if fallen else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PipelineError as error:
        say_error(error, "attack")
        sys.exit(DOES_NOT_HOLD)
